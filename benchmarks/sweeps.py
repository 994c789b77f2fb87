"""What a sweep costs over the bare batched loop, and how its memory grows: python benchmarks/sweeps.py [CASE]

In one process, a sweep with everything on (Lightning, progress, metrics, W&B offline, snapshots, videos, checkpoints,
verdicts, page) and a hand-written PyTorch loop over the same modules make one batch of targets each in turn. Printed is
the ratio of their seconds, batch by batch, and the median; the first batch warms both up. Then one process for each
batch size, and the line through their peaks of memory.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from overhead import _peak_megabytes, bare_updates, by_hand

from genviz.analysis.class_setup import choosing
from genviz.sweeps.sweep import Sweep
from genviz.training import build, configuration
from genviz.training.batch import Batch

SQUEEZENET = ["classifier=squeezenet1_0", "classifier.weights=random"]
CASES = {
    "fourier_views": [*SQUEEZENET, "experiment=fourier_views"],
    "pretrained_views": [*SQUEEZENET, "experiment=pretrained_views"],
    "untrained": [*SQUEEZENET, "generator=untrained"],
}
_PEAK = "from genviz.commands.spared import spare; spare(); import sweeps; sweeps.peak({!r}, {}, {!r})"  # as a command


class InTurn(Sweep):
    """A sweep that lets the bare loop make as many updates of as many targets after each of its batches."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.ratios: list[float] = []
        self.begun = time.perf_counter()

    def make_batch(self, runs: Any, log: Any, claims: Any) -> Any:
        ended_by = super().make_batch(runs, log, claims)
        ours = time.perf_counter() - self.begun
        theirs = bare(Batch(runs))
        self.ratios.append(ours / theirs)
        print(f"{len(runs)} targets: ours {ours:.2f} s, bare {theirs:.2f} s, ratio {ours / theirs:.3f}", flush=True)
        self.begun = time.perf_counter()
        return ended_by


def made(case: str, batch: int, targets: int, folder: str, *words: str) -> tuple[Any, list[Any]]:
    """The configuration of a case, and its targets."""
    places = [f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
    given = [*CASES[case], f"targets=class:1-{targets}", f"batch={batch}", *words, *places]
    config = configuration.compose("train", given)
    config.target = None
    return config, build.targets(config, build.sketch(config.classifier), choosing(config))


def time_in_turn(case: str, batch: int, rounds: int) -> None:
    """Print the ratio of a sweep's seconds to the bare loop's, and the median."""
    with tempfile.TemporaryDirectory() as folder:
        config, targets = made(case, batch, batch * (rounds + 1), folder)
        sweep = InTurn(config, targets, build.classifier(config.classifier))
        sweep.make()
    print(f"\n{case}, batch={batch}: median ratio {statistics.median(sweep.ratios[1:]):.3f} of {rounds} batches\n")


def peak(case: str, batch: int, who: str) -> None:
    """Make a batch with a few updates and print this process's peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        config, targets = made(case, batch, batch, folder, "updates=6", "logger=none")
        sweep = Sweep(config, targets, build.classifier(config.classifier))
        if who == "ours":
            sweep.make()
        else:
            with ExitStack() as claims:
                bare(Batch(sweep.waiting.claim(batch, claims)))
    print(f"peak {_peak_megabytes():.0f}")


def bare(batch: Batch) -> float:
    """The seconds of the bare loop over what a batch is made of."""
    coupling = batch.coupling
    look = by_hand(coupling.classifier, coupling.in_features)
    couple = (look, coupling.objective, coupling.regularizers, coupling.transforms)
    optimizer = coupling.optimizer(p for p in coupling.generator.parameters() if p.requires_grad)
    return bare_updates(batch.config.updates, coupling.generator, *couple, optimizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", choices=[*CASES])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    for case in [arguments.case] if arguments.case else CASES:
        for batch in arguments.batch:
            time_in_turn(case, batch, arguments.rounds)
        for who in ("ours", "bare"):
            sizes = [1, 2, 4, 8]
            peaks = []
            for size in sizes:
                command = [sys.executable, "-c", _PEAK.format(case, size, who)]
                printed = subprocess.run(
                    command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent
                ).stdout
                peaks.append(float(printed.rsplit("peak ", 1)[1]))
            slope, rest = np.polyfit(sizes, peaks, 1)
            told = ", ".join(f"{size}: {value:.0f}" for size, value in zip(sizes, peaks, strict=True))
            print(f"{case}, {who}: peak memory in MB by targets at once, {told}; {rest:.0f} + {slope:.0f} for each\n")


if __name__ == "__main__":
    main()
