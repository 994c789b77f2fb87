"""What the shell completes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context
from conftest import ROOT
from user import SECONDS

from genviz.commands.main import genviz

GENERATORS = sorted(path.stem for path in (ROOT / "configs/generator").glob("*.yaml"))


def test_words_are_completed_as_hydra_completes_them():
    completed = [
        item.value for item in genviz.commands["train"].params[0].shell_complete(Context(genviz), "generator=untr")
    ]
    assert completed == ["generator=untrained", "generator=untrained_small"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("train gener", {"generator.", "generator="}),
        ("train generator =", {*GENERATORS}),
        ("train generator = untr", {"untrained", "untrained_small"}),
        ("train updates = 3 experiment = kocur", {"kocur2021_deepdream", "kocur2021_style", "kocur2021_texture"}),
        ("lab", {"labels"}),
    ],
)
def test_bash_completes_the_words_as_it_splits_them(words, completed):
    program = Path(sys.executable).with_name("genviz")
    asked = f"""
genviz() {{ {program} "$@"; }}
eval "$(_GENVIZ_COMPLETE=bash_source {program})"
COMP_WORDS=(genviz {words}); COMP_CWORD=$(({len(words.split())})); COMPREPLY=()
_genviz_completion {program}
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=SECONDS)
    assert set(done.stdout.split()) == completed, done.stderr
