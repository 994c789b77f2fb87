"""Which classes a classifier takes for which, measured with the file that was written."""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassConfusionMatrix
from tqdm.auto import tqdm

from genviz.files import atomic_write, write_text
from genviz.interfaces import SCORES, Classifier
from genviz.learning.fitting.augmentation import Augmentation
from genviz.learning.fitting.labelled import Batch

_LARGEST = 30  # classes of a figure with numbers and names


class Confusion(NamedTuple):
    """How many pictures of each class get which answer."""

    counts: Tensor
    """(classes, classes + 1), rows are the true classes; the last column counts answers that are no class of these."""

    classes: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """The share of the pictures that get the right answer."""
        return int(self.counts.diagonal().sum()) / max(int(self.counts.sum()), 1)

    def write(self, folder: Path) -> list[Path]:
        """Write ``confusion.csv`` and, if there are not too many classes, ``confusion.png``; return the paths."""
        beyond = ["other"] if self.counts[:, -1].any() else []
        names, text = [*self.classes, *beyond], io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["true class", *names])
        for name, counts in zip(self.classes, self.counts[:, : len(names)].tolist(), strict=True):
            rows.writerow([name, *counts])
        write_text(folder / "confusion.csv", text.getvalue())
        if len(names) > _LARGEST:
            return [folder / "confusion.csv"]
        _draw(folder / "confusion.png", self.counts[:, : len(names)], self.classes, names)
        return [folder / "confusion.csv", folder / "confusion.png"]


@torch.no_grad()
def confusion(
    classifier: Classifier,
    batches: DataLoader[Batch],
    classes: Sequence[str],
    what: str,
    augmentation: Augmentation = Augmentation(),  # noqa: B008 - immutable
    seed: int = 0,
) -> Confusion:
    """Compare a classifier's answers with the labels of pictures.

    Args:
        classes: of the pictures, in the order of the scores; the classifier may have more.
        what: is measured, for the bar.
        augmentation: of the pictures; with ``seed``, as in the validations of a training.
    """
    count = len(classes)
    measure = MulticlassConfusionMatrix(count + 1)
    draws = torch.Generator().manual_seed(seed)
    for images, labels in tqdm(batches, desc=what, unit="batch", delay=2.0, leave=False, dynamic_ncols=True):
        if len(labels):
            scores = classifier(augmentation(images.float() / 255, draws), [SCORES])[SCORES]
            measure.update(scores.argmax(1).clamp_max(count), labels)
    return Confusion(measure.compute()[:count], tuple(classes))


def _draw(path: Path, counts: Tensor, classes: Sequence[str], names: Sequence[str]) -> None:
    """The counts in a grid, each row coloured by its shares."""
    shares = counts / counts.sum(1, keepdim=True).clamp_min(1)
    side = 2.2 + 0.48 * len(names)
    figure = Figure(figsize=(side + 0.4, side), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(classes)), classes, parse_math=False)
    axes.set_xlabel("answer")
    axes.set_ylabel("true class")
    for row, column in torch.nonzero(counts).tolist():
        ink = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{int(counts[row, column])}", ha="center", va="center", fontsize=7, color=ink)
    with atomic_write(path) as file, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name, that the font lacks
        figure.savefig(file, format="png")
