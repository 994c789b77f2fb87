import subprocess
import sys

from user import SECONDS, environment

SCRIPT = """
import sys
import genviz
from genviz.commands.spared_imports import spare
spare()
import genviz.sweeps.sweep
print(*(name in sys.modules for name in ("pytorch_lightning", "wandb", "matplotlib", "rich")))
"""


def test_what_no_command_uses_is_not_imported():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment(), capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stdout.split() == ["True", "True", "False", "False"]
