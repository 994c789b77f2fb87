import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from genviz.training import console
from genviz.training.naming import Names


@pytest.mark.parametrize(
    ("note", "resume", "says"),
    [
        (None, True, "the same command continues from there"),
        (None, False, "the same command without resume=false continues from there"),
        ("another network", True, "the same command with classifier=small continues from there"),
        ("another", False, "the same command with classifier=small and without resume=false continues from there"),
    ],
)
def test_the_command_that_continues_does_not_start_over(capsys, note, resume, says):
    run = SimpleNamespace(
        names=Names("small", "pixels", note),
        config=OmegaConf.create({"resume": resume}),
        folders=SimpleNamespace(checkpoint=Path("last.ckpt")),
    )
    console.stopped(run, signal.SIGTERM, 4)
    assert capsys.readouterr().out == f"SIGTERM after update 4, saved: last.ckpt; {says}\n"
