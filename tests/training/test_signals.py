"""A run that a signal ends, as a scheduler sends it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from user import RUN, SECONDS, WORDS, run_until

from genviz.training.signals import ENDING

SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "x", "SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}


@pytest.mark.parametrize(
    "which",
    [
        signal.SIGUSR1,
        *(pytest.param(each, marks=pytest.mark.campaign) for each in ENDING if each != signal.SIGUSR1),
    ],
)
@pytest.mark.slow
def test_a_signal_saves_first(tmp_path, called, which):
    if signal.getsignal(which) is signal.SIG_IGN:
        pytest.skip("the shell that started the tests in the background lets nobody interrupt them")
    words = [*WORDS, "logger=none", "checkpoint_every=1000"]
    run = tmp_path / "run"
    run.mkdir()
    process = run_until(run, 3, *words, **SLURM)
    for _ in range(3):  # from the scheduler, from its launcher, and to the group
        process.send_signal(which)
    stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + which, stderr
    assert "Traceback" not in stderr
    assert f"{which.name} after update" in stdout
    assert (run / "checkpoints" / RUN / "last.ckpt").exists()
    assert {path.name for path in run.iterdir()} == {"outputs", "checkpoints"}
    assert "continuing after update" in called("train", *words, folder=run).stdout
    straight = tmp_path / "straight"
    straight.mkdir()
    called("train", *words, folder=straight)
    picture = Path("outputs") / RUN / "final.png"
    assert (run / picture).read_bytes() == (straight / picture).read_bytes()


def test_before_there_is_anything_to_save_it_ends_at_once_whatever_it_is_in():
    code = """
import signal
from genviz.training.signals import ending
with ending(lambda which: f"told {which.name}"):
    try:
        print("before")
        signal.raise_signal(signal.SIGTERM)
    except BaseException:
        print("raised")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (143, "before\n", "told SIGTERM\n")
