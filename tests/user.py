"""`python train.py`, as a user runs it."""

import os
import subprocess
import sys
import time
from pathlib import Path

from conftest import ROOT, TINY

RUN = Path("squeezenet1_1-random/untrained_small/class-harmonica")
"""Where the run of ``WORDS`` is, below its roots."""
WORDS = [
    "target=class:harmonica",
    *TINY,
    "updates=12",
    "checkpoint_every=4",
    "snapshot_every=5",
    "lr_end=1",
    "objective.activation.ramp=0",
]
SECONDS = 300
"""After so long it hangs; a start takes five alone, and more beside other tests."""


def command(*words):
    return [sys.executable, str(ROOT / "train.py"), *words]


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    return {**kept, "OMP_NUM_THREADS": "1", "HOME": "/nonexistent", "WANDB_DIR": "", **more}


def train(folder, *words, **more):
    done = subprocess.run(
        command(*words), cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=SECONDS
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def slow_after(updates, command):
    """The command of a program whose later updates take so long that who looks on can end it there."""
    code = f"""
import runpy, sys, time
from genviz.training.callbacks.monitor import Monitor
Monitor.on_train_batch_start = lambda self, trainer, *given: time.sleep(0.5 * (trainer.global_step >= {updates}))
sys.argv = {command[1:]!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    return [sys.executable, "-c", code]


def run_until(folder, rows, *words, **more):
    """Start a run and return once it has made so many updates, and not yet all of them."""
    process = subprocess.Popen(
        slow_after(rows, command(*words)),
        cwd=folder,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = folder / "outputs" / RUN / "metrics.csv"
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) > rows:
            break
        time.sleep(0.002)
    return process
