"""How much of the score each part of a picture carries, found by covering it; by captum."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.attribution.rectified import Scores


@torch.no_grad()
def occlusion(score: Scores, images: Tensor, *, size: int, stride: int, fill: float = 0.5, at_once: int = 8) -> Tensor:
    """What the score loses when a square is covered, averaged over the squares (Zeiler & Fergus 2014, section 4.2).

    Args:
        score: maps pictures to one number each.
        images: RGB in [0, 1], (n, 3, h, w).
        size: side of the square, in pixels.
        stride: pixels between two squares; at most ``size``.
        fill: the square's grey value, in [0, 1].
        at_once: pictures in one pass.

    Returns:
        (n, h, w), signed: negative where the score rises when the pixel is covered.
    """
    from captum.attr import Occlusion  # takes seconds

    size = min(size, *images.shape[2:])
    maps = [
        Occlusion(score).attribute(
            image,
            sliding_window_shapes=(3, size, size),
            strides=(3, min(stride, size), min(stride, size)),  # a small picture's
            baselines=fill,
            perturbations_per_eval=at_once,
        )[:, 0]
        for image in images.split(1)
    ]
    return torch.cat(maps)
