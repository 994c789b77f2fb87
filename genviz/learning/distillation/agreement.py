"""How far a student agrees with its teacher on pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy


class Agreements(nn.ModuleList):
    """How far student and teacher agree on each of several sets of pictures.

    Measured are the share of pictures with the same first class (top1), the share with the teacher's first class among
    the student's first five (top5), and the correlation of a picture's scores, averaged.

    Args:
        classes: the number of classes.
        names: of the sets.
    """

    def __init__(self, classes: int, names: Sequence[str]) -> None:
        super().__init__(_measures(classes) for _ in names)
        self.names = tuple(names)

    def add(self, name: str, scores: Tensor, expected: Tensor) -> None:
        """Compare ``scores`` (n, classes) of pictures of the set ``name`` with the teacher's, ``expected``."""
        measures = self[self.names.index(name)]
        assert isinstance(measures, MetricCollection)
        scores, expected = scores.float(), expected.float()
        for accuracy in ("top1", "top5"):
            measures[accuracy].update(scores, expected.argmax(1))
        for pair in zip(scores, expected, strict=True):
            measures["correlation"].update(torch.corrcoef(torch.stack(pair))[0, 1].nan_to_num())

    def take(self) -> dict[str, Tensor]:
        """Return ``NAME/top1``, ``NAME/top5`` and ``NAME/correlation`` of each set, and reset them."""
        taken: dict[str, Tensor] = {}
        for name, measures in zip(self.names, self, strict=True):
            assert isinstance(measures, MetricCollection)
            taken |= {f"{name}/{measure}": value for measure, value in measures.compute().items()}
            measures.reset()
        return taken


def _measures(classes: int) -> MetricCollection:
    first, five = (MulticlassAccuracy(classes, average="micro", top_k=min(k, classes)) for k in (1, 5))
    return MetricCollection({"top1": first, "top5": five, "correlation": MeanMetric()}, compute_groups=False)
