"""Activation maximization: the response of units, or along a direction in a layer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from genviz.errors import UserError, shown
from genviz.images.folders import find_pictures
from genviz.images.pictures import UNREADABLE, read_upright, resize
from genviz.interfaces import Classifier, Objective, Outline
from genviz.objectives.kept import Kept
from genviz.targets.grammar import Target
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.responses import responses
from genviz.targets.units import Targets, Units


class InnerProduct(Objective):
    """<Phi(x), Phi_0> / Z, activation maximization (Mahendran & Vedaldi 2016, Eq. 4 and section 6).

    Phi_0 selects the target's weighted units (a class, a filter, a neuron, a mixture, a group), or is a direction.
    Z = M rho^2 (the paper writes its inverse) as in the paper's code, which multiplies by 10,000 (`weight`): M is the
    unit's largest response on real images, rho the side of its receptive field, or of the images if it has none.

    Args:
        target: classes, filters, neurons or layers; for a direction, a single layer; or several such targets.
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
    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline,
        *,
        direction: str | Tensor | None = None,
        largest: float | None = None,
        pictures: str | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.targets, self.weight, self.pictures = Targets(target), float(weight), pictures
        directions = [_direction(direction, each, outline) for each in self.targets.each if direction is not None]
        self.register_buffer("direction", directions[0] if directions else None, persistent=False)
        self.direction: Tensor | None
        self.ranked = direction is None
        if largest is not None and not largest > 0:
            raise UserError(f"objective.inner_product.largest={largest} must be above 0")
        self._measures = largest is None and pictures is not None
        self._unknown = largest is None and pictures is None and direction is None
        self.largest = Kept({units: torch.full_like(units.weights, largest or 1.0) for units in self.targets})
        self.sides = {units: float(max(outline.input_size)) for units in self.targets}

    @property
    def layers(self) -> tuple[str, ...]:
        return self.targets.layers

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        self.sides = {units: float(classifier.receptive_side(units.layer) or max(size)) for units in self.targets}
        if self._unknown:
            told = "M, the largest response to real pictures, is unknown and taken to be 1"
            warnings.warn(f"objective.inner_product: {told}; give pictures=FOLDER", stacklevel=2)
        if self._measures:
            self.largest = Kept(_largest(self.pictures, classifier, self))

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.total(lambda units: self._scaled(units, seen))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.direction is not None:
            return {
                "inner product with the direction": self.targets.total(
                    lambda units: self.responses(units, seen), weighted=False
                )
            }
        return {"activation": self.targets.activation(seen)}

    def responses(self, units: Units, seen: Mapping[str, Tensor]) -> Tensor:
        """The response of each unit, (n, k); for a direction, the inner product with it, (n, 1)."""
        layer = seen[units.layer]
        if self.direction is None:
            return units.responses(layer)
        direction = self.direction.to(layer)
        if direction.ndim == 1:
            return (responses(layer, "filter") @ direction)[:, None]
        return (layer * direction).flatten(1).sum(1, keepdim=True)

    def _scaled(self, units: Units, seen: Mapping[str, Tensor]) -> Tensor:
        got = self.responses(units, seen)
        size = (self.largest[units] * self.sides[units] ** 2).where(units.full, 1)  # or a gap's gradient may be 0 / 0
        return got / units.spread(size, len(got)).to(got)


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
def _largest(folder: str | None, classifier: Classifier, objective: InnerProduct) -> dict[Units, Tensor]:
    """The largest response of each unit on the pictures of ``folder``, (targets, k)."""
    assert folder is not None
    pictures, _ = find_pictures(folder, "pictures")
    largest = {units: torch.full_like(units.weights, -math.inf) for units in objective.targets}
    device = classifier.device
    for path in pictures:
        try:
            picture = read_upright(path)
        except (UserError, *UNREADABLE) as error:
            warnings.warn(f"left out: {error}", stacklevel=2)
            continue
        seen = classifier(resize(picture, classifier.outline.input_size).to(device), objective.layers)
        largest = {units: most.maximum(objective.responses(units, seen).to(most)) for units, most in largest.items()}
    for units, most in largest.items():
        for target, own, full in zip(objective.targets.each, most, units.full, strict=True):
            if not (own[full] > 0).all():
                known = "objective.inner_product.largest=NUMBER"
                raise UserError(f"{target} responds to no picture in {folder}; give others, or {known}")
    return largest
