import subprocess
import sys

import pytest
from user import RUN, SECONDS, WORDS, environment

SCRIPT = """
import sys
import genviz
from genviz.commands.spared import spare
spare()
import genviz.sweeps.sweep
print(*(name in sys.modules for name in ("pytorch_lightning", "wandb", "matplotlib", "rich", "scipy.signal")))
"""
RUN_AND_TELL = """
import sys
from genviz.commands.main import main
try:
    main()
finally:
    print("telemetry" if "opentelemetry.sdk" in sys.modules else "none")
"""


def run(folder, script, *words, **more):
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=SECONDS, check=True
    ).stdout.splitlines()


@pytest.mark.slow
def test_what_no_command_uses_is_not_imported(tmp_path):
    assert run(tmp_path, SCRIPT)[-1].split() == ["True", "True", "False", "False", "False"]


@pytest.mark.slow
def test_an_offline_run_begins_no_telemetry(tmp_path):
    assert run(tmp_path, RUN_AND_TELL, "train", *WORDS, "updates=2")[-1] == "none"
    assert list((tmp_path / "outputs" / RUN / "wandb").glob("offline-run-*/run-*.wandb"))


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({}, "offline"),
        ({"WANDB_MODE": "disabled"}, "disabled"),
        ({"WANDB_API_KEY": "0" * 40}, "None"),
        ({"NETRC": "netrc"}, "None"),
        ({"NETRC": "odd"}, "offline"),
    ],
    ids=str,
)
def test_who_is_logged_in_is_not_kept_offline(tmp_path, variables, mode):
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password 0123456789\n")
    (tmp_path / "odd").write_bytes("# Schlüssel\n".encode("latin-1"))
    script = "import os; from genviz.commands.spared import spare; spare(); print(os.environ.get('WANDB_MODE'))"
    assert run(tmp_path, script, **variables) == [mode]
