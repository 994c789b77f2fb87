"""Speed of what looks through a folder of pictures, relative to a bare loop over the same pictures.

    python benchmarks/retrieval.py patches photos/ relu3_3,relu4_3 classifier=embedded

`patches`: one pass of `genviz patches`, relative to the forward pass to the deepest of the layers with torch's data
loader, in whichever number of worker processes is fastest. Both in turns, the median of three; the states that the pass
keeps are written, too. Words after the layers are settings of `genviz patches`.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from genviz.analysis.class_setup import looking
from genviz.classifiers.frozen import FrozenClassifier
from genviz.images.folders import find_pictures
from genviz.images.pictures import read_picture, resize
from genviz.interfaces import Layer
from genviz.retrieval import strongest as module
from genviz.retrieval.strongest import Folder, strongest
from genviz.targets.layers import find_filters
from genviz.training.configuration import compose

_TURNS, _MOST, _FEW = 3, 128, 32  # pictures


class Pictures(Dataset[Tensor]):
    def __init__(self, paths: list[Path], size: tuple[int, int]) -> None:
        self.paths, self.size = paths, size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Tensor:
        return resize(read_picture(self.paths[row])[None].float() / 255, self.size)[0]


def main() -> None:
    case, data, names, *words = sys.argv[1:]
    cases: dict[str, Callable[..., None]] = {"patches": patches}
    config = compose("patches", [f"data={data}", f"layer={names}", "filters=all", *words])
    classifier, paths = looking(config), find_pictures(data, "data").pictures[:_MOST]
    cases[case](classifier, Folder(Path(data), paths), names.split(","))


def patches(classifier: FrozenClassifier, folder: Folder, names: list[str]) -> None:
    known = classifier.outline.layers
    layers = [find_filters(name, known) for name in names]
    deepest = max(layers, key=known.index)
    most = max(2, os.cpu_count() or 1)
    few = folder._replace(paths=folder.paths[:_FEW])
    tried = {number: _seconds(partial(_bare, classifier, few, deepest, number)) for number in (0, 1, most)}
    workers = min(tried, key=lambda number: tried[number])
    own, bare = [], []
    for _ in range(_TURNS):
        own.append(_seconds(partial(_own, classifier, folder, layers)))
        bare.append(_seconds(partial(_bare, classifier, folder, deepest, workers)))
    count, ratio = len(folder.paths), statistics.median(bare) / statistics.median(own)
    print(f"{count} pictures, {', '.join(names)}, on {classifier.device}, {torch.get_num_threads()} threads of torch")
    print(f"genviz patches   {count / statistics.median(own):7.1f} pictures/s")
    print(f"bare, {workers} workers  {count / statistics.median(bare):7.1f} pictures/s")
    print(f"speed relative to the bare forward pass: {ratio:.2f}")


def _own(classifier: FrozenClassifier, folder: Folder, layers: list[Layer]) -> None:
    with tempfile.TemporaryDirectory() as kept:
        strongest(folder, classifier, layers, identity="benchmark", kept=Path(kept))


@torch.no_grad()
def _bare(classifier: FrozenClassifier, folder: Folder, layer: Layer, workers: int) -> None:
    pictures = Pictures(folder.paths, classifier.outline.input_size)
    for images in DataLoader(pictures, batch_size=module._AT_ONCE, num_workers=workers):
        classifier(images.to(classifier.device), [layer.name])
    if classifier.device.type == "cuda":
        torch.cuda.synchronize()


def _seconds(run: Callable[[], None]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
