"""Kill a run at random moments, again and again, until it ends: its files are those of one that nothing disturbed.

python benchmarks/kills.py --kills 100 --signals 20
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_TRAIN = Path(__file__).resolve().parent.parent / "train.py"
_WORDS = ["target=class:harmonica", "classifier=squeezenet1_1", "classifier.weights=random"]
_WORDS += ["classifier.input_size=64", "generator=untrained_small", "generator.widths=[16,8,8]"]
_WORDS += ["generator.kernels=[2,3,3]", "trainer.accelerator=cpu", "logger=none", "checkpoint_every=7"]
_WORDS += ["snapshot_every=10", "log_every=1"]
_VARY = ("result.json", "config.yaml")  # seconds and folders
_ENDED = {0, -signal.SIGKILL, 128 + signal.SIGUSR1, -signal.SIGUSR1}  # the last: before Python could handle it


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--kills", type=int, default=100)
    arguments.add_argument("--signals", type=int, default=20)
    arguments.add_argument("--updates", type=int, default=400)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    draw = random.Random(given.seed)
    left = [signal.SIGKILL] * given.kills + [signal.SIGUSR1] * given.signals
    draw.shuffle(left)
    with tempfile.TemporaryDirectory() as name:
        whole, runs = Path(name) / "whole", 0
        begun = time.monotonic()
        _run(whole, given.updates, None, 0.0)
        took = time.monotonic() - begun
        while left:
            runs += 1
            struck = Path(name) / str(runs)
            while _run(struck, given.updates, left.pop() if left else None, draw.uniform(0, took)) != 0:
                pass
            wrong = _hashes(whole).items() ^ _hashes(struck).items()
            assert not wrong, wrong
    struck_by = f"{given.kills} SIGKILLs and {given.signals} SIGUSR1s"
    print(f"{struck_by} in {runs} runs of {given.updates} updates: the same files")


def _run(folder: Path, updates: int, which: signal.Signals | None, after: float) -> int:
    folder.mkdir(exist_ok=True)
    words = [sys.executable, str(_TRAIN), *_WORDS, f"updates={updates}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, cwd=folder, env=os.environ, text=True, **quiet)  # type: ignore[call-overload]
    try:
        failed = process.communicate(timeout=None if which is None else after)[1]
    except subprocess.TimeoutExpired:
        process.send_signal(which)
        failed = process.communicate()[1]
    assert "Traceback" not in failed, failed
    assert process.returncode in _ENDED, (process.returncode, failed[-500:])
    return int(process.returncode)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.glob("outputs/**/*") if path.is_file() and ".claims" not in path.parts)
    kept = [path for path in files if path.name not in _VARY]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


if __name__ == "__main__":
    main()
