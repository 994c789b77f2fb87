"""What `genviz fit` costs over a loop written by hand: python benchmarks/fit.py [SETTINGS]

A training with everything on (Lightning, progress, metrics, validation, checkpoints, W&B offline) makes 50 updates in
turn with the bare loop over a copy of its network, on random pictures of CIFAR-10's size. The bare loop has its
pictures in memory, and changes them as ours does. SETTINGS are those of `genviz fit`, such as network=vonc.
"""

from __future__ import annotations

import argparse
import copy
import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from genviz.learning.fitting import fit
from genviz.learning.fitting.classification import Classification
from genviz.training import configuration

BLOCK, PICTURES, HELD_OUT = 50, 38_400, 0.01
RATIOS: list[float] = []


class InTurn(Classification):
    """After each of our blocks of updates, the bare loop's."""

    def on_train_start(self) -> None:
        self.begin, self.updates = time.perf_counter(), 0

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_end(outputs, batch, batch_idx)
        self.updates += 1
        if self.updates % BLOCK:
            return
        ours = time.perf_counter() - self.begin
        theirs = bare(self, batch)
        note = " (warm-up, not counted)" if self.updates == BLOCK else ""
        if not note:
            RATIOS.append(ours / theirs)
        print(f"\nours {ours / BLOCK:.4f} s, bare {theirs / BLOCK:.4f} s, ratio {ours / theirs:.3f}{note}")
        self.begin = time.perf_counter()


def bare(module: Classification, batch: Any) -> float:
    """The loop that one would write by hand; its seconds."""
    network = copy.deepcopy(module.network)
    optimizer = module.optimizer(network.parameters())
    begin = time.perf_counter()
    for _ in range(BLOCK):
        images = module.augmentation(batch.images.float() / 255)
        loss = F.cross_entropy(network(module.input_space(images)), batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if hasattr(network, "constrain"):
            network.constrain()  # type: ignore[operator]
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--rounds", type=int, default=5, help="at least")
    arguments = parser.parse_intermixed_args()
    fit.Classification = InTurn  # type: ignore[misc]
    draws = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / "pictures.npz"
        images = draws.integers(0, 256, (PICTURES, 32, 32, 3), dtype=np.uint8)
        np.savez(pictures, images=images, labels=np.arange(PICTURES) % 10)
        places = [f"data.root={pictures}", f"paths.outputs={folder}/outputs", f"paths.checkpoints={folder}/checkpoints"]
        updates = BLOCK * (arguments.rounds + 1)
        words = [
            f"data.hold_out={HELD_OUT}",
            f"epochs={math.ceil(updates * 128 / PICTURES / (1 - HELD_OUT))}",
            "batch=128",
        ]
        fit.fit(configuration.compose("fit", [*words, *places, *arguments.settings]))
    print(f"\nmedian ratio {statistics.median(RATIOS):.3f} of {len(RATIOS)} rounds of {BLOCK} updates")


if __name__ == "__main__":
    main()
