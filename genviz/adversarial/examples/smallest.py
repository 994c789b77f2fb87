"""DeepFool's pictures, made fit for 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.adversarial.answers import margins_of, named
from genviz.adversarial.deepfool import deepfool
from genviz.generators.perturbation import Norm
from genviz.interfaces import Classifier

_LEVELS = 255
_FACTORS = [1.25**power for power in range(20)]  # to 69


def smallest(
    classifier: Classifier, originals: Tensor, labels: Tensor, *, norm: Norm, steps: int
) -> tuple[Tensor, Tensor]:
    """Perturb ``originals`` (n, 3, h, w) by DeepFool until the network no longer names ``labels`` (n,).

    The perturbations are often smaller than half a level of 8 bits, and vanish by rounding. So each is enlarged by the
    smallest of some factors, 1, 1.25, 1.56, ..., with which the rounded picture fools.

    Returns:
        The pictures in steps of 1/255, (n, 3, h, w), and the norm of what DeepFool found, without rounding, (n,).
    """
    device = classifier.device
    found = deepfool(margins_of(classifier), originals.to(device), labels=labels.to(device), steps=steps, norm=norm)
    away = found.images.detach().cpu() - originals
    flat = away.flatten(1)
    size = flat.norm(dim=1) if norm == "l2" else flat.abs().amax(1)
    best, left = originals.clone(), torch.arange(len(originals))
    for factor in _FACTORS:
        rounded = (_LEVELS * (originals[left] + factor * away[left])).round().clamp(0, _LEVELS)
        said = named(classifier, rounded.to(torch.uint8), len(left))[0]
        best[left] = rounded / _LEVELS
        left = left[said == labels[left]]
        if not len(left):
            break
    return best, size
