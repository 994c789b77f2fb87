"""A run that a signal ends, as a scheduler sends it."""

import signal
from pathlib import Path

import pytest
from user import RUN, SECONDS, WORDS, run_until

SLURM = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "x", "SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_LOCALID": "1"}


@pytest.mark.parametrize(
    "which",
    [
        signal.SIGINT,
        signal.SIGUSR1,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGUSR2, signal.SIGHUP)),
    ],
)
def test_a_signal_saves_first(tmp_path, called, which):
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
