"""Activation maximization: the response of units, or along a direction in a layer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genviz.errors import UserError, shown
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_upright, resize
from genviz.interfaces import Classifier, Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.responses import position, responses, weighted


class InnerProduct(Objective):
    """<Phi(x), Phi_0> / Z, activation maximization (Mahendran & Vedaldi 2016, Eq. 4 and section 6).

    Phi_0 selects the target's weighted units (a class, a filter, a neuron, a mixture, a group), or is a direction.
    Z = M rho^2 as in the paper's code, which multiplies by 10,000 (`weight`): M is the unit's largest response on real
    images, rho the side of its receptive field, or of the images if it has none.

    Args:
        target: classes, filters, neurons or layers; for a direction, a single layer.
        outline: the classifier's.
        direction: a tensor or ``.npy`` file with one number per channel of the layer, or of the layer's full shape. A
            channel's response is its mean over the positions.
        largest: M; None to measure it on `pictures`, or 1 without them.
        pictures: a folder of pictures on which to measure M.
        weight: C; 10,000 in the paper's code.

    Raises:
        UserError: the direction does not fit the layer.
    """

    ranked = True

    def __init__(
        self,
        target: Target,
        outline: Outline,
        *,
        direction: str | Tensor | None = None,
        largest: float | None = None,
        pictures: str | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.target, self.weight, self.pictures = target, float(weight), pictures
        self.direction = None if direction is None else _direction(direction, target, outline)
        self.ranked = direction is None
        units = 1 if self.direction is not None else len(target.units)
        if largest is not None and not largest > 0:
            raise UserError(f"objective.inner_product.largest={largest} must be above 0")
        self.largest = torch.full((units,), 1.0 if largest is None else float(largest))
        self._measures = largest is None and pictures is not None
        self.sides = torch.full((units,), float(max(outline.input_size)))

    @property
    def layers(self) -> tuple[str, ...]:
        return self.target.layers

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        layers = [unit.layer for unit in self.target.units][: len(self.sides)]
        fields = [classifier.receptive_side(layer) for layer in layers]
        self.sides = torch.tensor([float(field or max(size)) for field in fields])
        if self._measures:
            self.largest = _largest(self.pictures, classifier, self)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        got = self.responses(seen) / (self.largest * self.sides.square()).to(next(iter(seen.values())))
        return weighted(self.target, got)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.direction is not None:
            return {"inner product with the direction": self.responses(seen)[:, 0]}
        return {"activation": weighted(self.target, self.responses(seen))}

    def responses(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The response of each unit, (n, units); for a direction, the inner product with it, (n, 1)."""
        if self.direction is not None:
            layer = seen[self.target.layers[0]]
            direction = self.direction.to(layer)
            if direction.ndim == 1:
                return (responses(layer, "filter") @ direction)[:, None]
            return (layer * direction).flatten(1).sum(1, keepdim=True)
        units = self.target.units
        each = [responses(seen[u.layer], u.kind)[:, position(u, seen[u.layer])] for u in units]
        return torch.stack(each, 1)


def _direction(given: str | Tensor, target: Target, outline: Outline) -> Tensor:
    if len(target.units) != 1 or target.units[0].kind not in ("layer", "class"):
        raise UserError(f"a direction needs a single layer, target=layer:NAME, not {target}")
    if isinstance(given, Tensor):
        numbers = given
    else:
        try:
            numbers = torch.from_numpy(np.load(Path(given).expanduser(), allow_pickle=False)).float()
        except (OSError, ValueError, TypeError, EOFError) as error:
            why = "there is no such file" if isinstance(error, FileNotFoundError) else shown(str(error))
            raise UserError(
                f"objective.inner_product.direction={given} cannot be read ({why}); give a .npy file"
            ) from error
    find = find_filters if numbers.ndim == 1 else find_layer  # the former raises if the channels are unknown
    shape = find(target.layers[0], outline.layers).shape
    if tuple(numbers.shape) not in (shape, shape[:1]):
        raise UserError(
            f"the direction has shape {tuple(numbers.shape)}; {target.layers[0]} takes {shape[:1]} or {shape}"
        )
    return numbers


@torch.no_grad()
def _largest(folder: str | None, classifier: Classifier, objective: InnerProduct) -> Tensor:
    assert folder is not None
    pictures, _ = find_pictures(folder, "pictures")
    largest = torch.full((len(objective.sides),), -math.inf)
    device = classifier.device
    for path in pictures:
        try:
            picture = read_upright(path)
        except (UserError, *UNREADABLE) as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        seen = classifier(resize(picture, classifier.outline.input_size).to(device), objective.layers)
        largest = largest.maximum(objective.responses(seen)[0].cpu())
    if not (largest > 0).all():
        known = "objective.inner_product.largest=NUMBER"
        raise UserError(f"{objective.target} responds to no picture in {folder}; give others, or {known}")
    return largest
