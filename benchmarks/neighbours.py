"""What looking at a folder and searching it cost, beside the least that they can cost.

    python benchmarks/neighbours.py features     genviz's features of 256 pictures / a bare pass with a data loader
    python benchmarks/neighbours.py search       20 nearest of 50,000 pictures / scikit-learn alone on all in memory

Both alternate in one process. Words after the case go to the classifier, SqueezeNet 1.0 with random weights by default.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from genviz.images.folders import find_pictures
from genviz.images.pictures import read_picture, resize
from genviz.interfaces import SCORES
from genviz.retrieval.features import Features, Kept, feature_layer, look, usual_batch
from genviz.retrieval.nearest import nearest
from genviz.training import build, configuration

PICTURES, SIDES, ROUNDS = 256, (500, 375), 5
MANY, WIDTH, QUERIES = 50_000, 512, 8


class Folder(Dataset[Tensor]):
    """A folder's pictures at the classifier's size."""

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.paths, self.size = find_pictures(folder).pictures, size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Tensor:
        return resize(read_picture(self.paths[number])[None].float() / 255, self.size)[0]


def main() -> None:
    case, words = sys.argv[1], sys.argv[2:] or ["classifier=squeezenet1_0", "classifier.weights=random"]
    ours, bare = {"features": features, "search": search}[case](words)
    ours(), bare()  # unmeasured
    ratios = []
    for _ in range(ROUNDS):
        own, least = seconds(ours), seconds(bare)
        ratios.append(own / least)
        print(f"{own:.2f} s / {least:.2f} s = {own / least:.3f}", flush=True)
    print(f"{case}: median {statistics.median(ratios):.3f} of the bare time")


def features(words: list[str]) -> tuple[Callable[[], object], Callable[[], object]]:
    config = configuration.compose("contributions", ["target=class:1", *words])
    classifier = build.classifier(config.classifier)
    layer = feature_layer(classifier.outline)
    folder = Path(tempfile.mkdtemp(prefix="genviz-"))
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        rough = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(rough).resize(SIDES, Image.Resampling.BICUBIC).save(folder / f"{number:03}.jpg", quality=90)

    def bare() -> None:
        loader = DataLoader(
            Folder(folder, classifier.outline.input_size), usual_batch(classifier), num_workers=torch.get_num_threads()
        )
        with torch.no_grad():
            for images in loader:
                classifier(images.to(classifier.device), [layer, SCORES])[layer].flatten(2).mean(2).cpu()

    def ours() -> None:
        with tempfile.TemporaryDirectory() as seen:
            look(folder, classifier, Kept(layer), cache=Path(seen))

    return ours, bare


def search(words: list[str]) -> tuple[Callable[[], object], Callable[[], object]]:  # noqa: ARG001
    rng = np.random.default_rng(0)
    file = Path(tempfile.mkdtemp(prefix="genviz-")) / "features.npy"
    np.save(file, rng.normal(0, 1, (MANY, WIDTH)).astype(np.float16))
    stored = np.load(file, mmap_mode="r")
    found = Features(file.parent, [str(number) for number in range(MANY)], stored, np.arange(MANY), {}, [])
    queries = rng.normal(0, 1, (QUERIES, WIDTH)).astype(np.float32)

    def bare() -> None:
        whole = np.load(file).astype(np.float32)
        NearestNeighbors(algorithm="brute").fit(whole).kneighbors(queries, 20)

    return (lambda: nearest(found, queries, 20)), bare


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
