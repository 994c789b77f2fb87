"""Whether a map depends on what the network has learned (Adebayo et al. 2018, section 3.1)."""

from __future__ import annotations

import copy
from collections.abc import Collection

import torch
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef

from genviz.errors import UserError
from genviz.interfaces import Classifier


def randomized(classifier: Classifier, share: float, *, below: Collection[str] = (), seed: int = 0) -> Classifier:
    """A copy of ``classifier`` whose last layers have random weights, normal, of the same mean square as their own.

    Their biases are 0, so that no unit is dead; normalization layers stay.

    Args:
        share: of the layers that have weights, from the class scores down, at least one; 1: all.
        below: the names of the layers to start from instead of the class scores; what comes after the last of them
            stays.

    Raises:
        UserError: its weights cannot be changed.
    """
    copied = copy.deepcopy(classifier)
    layers = classifier.outline.layers
    places = {layer.module: place for place, layer in enumerate(layers)}
    last = max((place for place, layer in enumerate(layers) if layer.name in below), default=len(layers))
    found, place = [], -1
    for number, (name, module) in enumerate(copied.named_modules()):
        place = places.get(name.removeprefix("network."), place)
        if place <= last and any(True for _ in module.parameters(recurse=False)):
            found.append((place, number, module))
    if not found:
        raise UserError("the network has no weights that could be made random")
    found.sort(key=lambda one: one[:2])
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, _, module in found[-max(1, round(share * len(found))) :]:
            own = list(module.parameters(recurse=False))
            if max(parameter.ndim for parameter in own) < 2:
                continue
            for parameter in own:
                drawn = torch.randn(parameter.shape, generator=random).to(parameter)
                parameter.copy_(drawn * parameter.square().mean().sqrt() if parameter.ndim > 1 else drawn * 0)
    return copied


def likeness(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two maps (h, w), from -1 to 1; 0 where one of them is constant.

    That of unrelated maps is 0. Their structural similarity, which Adebayo et al. measure, too, is not: for maps with a
    few large values among many small ones, it is above 0.5.
    """
    if any(float(one.max() - one.min()) == 0 for one in (first, second)):
        return 0.0
    return float(spearman_corrcoef(first.flatten().double(), second.flatten().double()))
