"""What a classifier sees in each picture of a folder: features and class scores, cached on disk."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.images.pictures import read_picture, resize
from genviz.interfaces import SCORES, Classifier
from genviz.retrieval.features import Kept, feature_layer, look

_AT_ONCE = 16


class Gallery(NamedTuple):
    """The pictures of a folder that can be decoded, as a classifier sees them."""

    root: Path
    names: list[str]
    """Each picture's path below the root."""
    features: Tensor
    """(n, channels): the input of the class head, or the layer asked for, averaged over positions."""
    scores: Tensor
    """(n, classes), before any softmax."""
    damaged: list[str]
    """Those that cannot be decoded."""


def load(path: Path, classifier: Classifier) -> Tensor:
    """The picture ``path``, upright, at the input size of ``classifier``: RGB in [0, 1], (1, 3, h, w).

    Raises:
        OSError: or another of `genviz.images.pictures.UNREADABLE`: it cannot be decoded.
    """
    return resize(read_picture(path)[None].float() / 255, classifier.outline.input_size)


def look_through(
    folder: str | Path,
    classifier: Classifier,
    *,
    features: str | None = None,
    cache: Path | None = None,
    at_once: int = _AT_ONCE,
) -> Gallery:
    """Classify every picture below ``folder``, ``at_once`` of them at a time; damaged ones are named and skipped.

    Args:
        features: the layer whose channels are the features; None: the input of the class head.
        cache: a folder for the results, so that each picture is classified only once; None: no cache.

    Raises:
        UserError: there is no such folder, no picture in it that can be decoded, or no such layer.
    """
    kept = Kept(feature_layer(classifier.outline, features), kind="float32", scores=True, setting="pictures")
    seen = look(folder, classifier, kept, cache=cache, at_once=at_once)
    numbers = torch.from_numpy(seen.matrix()), torch.from_numpy(seen.others[SCORES])
    return Gallery(seen.root, seen.names, *numbers, seen.damaged)
