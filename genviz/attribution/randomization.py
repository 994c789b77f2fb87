"""Whether a map depends on what the network has learned (Adebayo et al. 2018, section 3.1)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torchmetrics.functional import spearman_corrcoef
from torchmetrics.functional.image import structural_similarity_index_measure

from genviz.errors import UserError
from genviz.interfaces import Classifier


def randomized(classifier: Classifier, share: float, *, seed: int = 0) -> Classifier:
    """A copy of ``classifier`` whose last layers have random weights, normal, of the same mean square as their own.

    Their biases are 0, so that no unit is dead; normalization layers stay.

    Args:
        share: of the layers that have weights, from the class scores down; 1: all.

    Raises:
        UserError: its weights cannot be changed.
    """
    copied = copy.deepcopy(classifier)
    places = {layer.module: place for place, layer in enumerate(classifier.outline.layers)}
    found, place = [], -1
    for number, (name, module) in enumerate(copied.named_modules()):
        place = places.get(name.removeprefix("network."), place)
        if any(True for _ in module.parameters(recurse=False)):
            found.append((place, number, module))
    if not found:
        raise UserError("the network has no weights that could be made random")
    found.sort(key=lambda one: one[:2])
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, _, module in found[len(found) - round(share * len(found)) :]:
            own = list(module.parameters(recurse=False))
            if max(parameter.ndim for parameter in own) < 2:
                continue
            for parameter in own:
                drawn = torch.randn(parameter.shape, generator=random).to(parameter)
                parameter.copy_(drawn * parameter.square().mean().sqrt() if parameter.ndim > 1 else drawn * 0)
    return copied


def likeness(first: Tensor, second: Tensor) -> tuple[float, float]:
    """Rank correlation (Spearman) and structural similarity of two maps (h, w); 0 where one of them is constant."""
    if any(float(one.max() - one.min()) == 0 for one in (first, second)):
        return 0.0, 0.0
    rank = spearman_corrcoef(first.flatten().double(), second.flatten().double())
    scaled = [((one - one.min()) / (one.max() - one.min()))[None, None] for one in (first, second)]
    similarity = structural_similarity_index_measure(scaled[0], scaled[1], data_range=1.0)
    assert isinstance(similarity, Tensor)
    return float(rank), float(similarity)
