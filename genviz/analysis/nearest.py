"""The pictures nearest to another in the space of a classifier's features."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from genviz.analysis.feature_cache import Gallery


class Neighbour(NamedTuple):
    """A picture of a gallery, and how near it is."""

    name: str
    row: int
    """Its row in the gallery."""
    similarity: float
    """Cosine of the two pictures' features, -1 to 1."""


def nearest_pictures(gallery: Gallery, features: Tensor, count: int) -> list[Neighbour]:
    """The ``count`` pictures of ``gallery`` whose features are most like ``features`` (channels,), nearest first."""
    cosines = F.normalize(gallery.features, dim=1) @ F.normalize(features.flatten().to(gallery.features), dim=0)  # (n,)
    order = cosines.argsort(descending=True, stable=True)[:count].tolist()
    return [Neighbour(gallery.names[row], row, cosines[row].item()) for row in order]
