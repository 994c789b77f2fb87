"""Inversion: an image with the code of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.images.pictures import resize
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference, picture_of
from genviz.targets.grammar import Target
from genviz.targets.layers import find_filters
from genviz.targets.units import Targets, Units

_LIGHT = 0.5  # of a mask, from black to white


class Inversion(Reference):
    """-||(Phi(x) - Phi_0) M||^2 / ||Phi_0 M||^2, times C (Mahendran & Vedaldi 2016, Eq. 2 and 3).

    Phi_0 is the classifier's code for a picture. The mask M keeps what the target names (a layer, or some of its
    filters or neurons) within ``window``, ``mask`` and ``channels``. The distances of several units add up with their
    weights.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        image: the picture's file.
        weight: C; 1, 20, 100 and 300 in the paper.
        window: rows and columns of the central window that counts (Figure 9: 5); None for all.
        mask: a picture's file, or RGB in [0, 1], (1, 3, h, w), laid over the layer: where it is light, positions count;
            None for all.
        channels: the first channel that counts and the one past the last (Figure 10: one stream's half); None for all.
    """

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,
        *,
        image: str | Tensor | None = None,
        weight: float = 1.0,
        window: int | None = None,
        mask: str | Tensor | None = None,
        channels: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(image, "image=FILE, or objective.inversion.image=FILE")
        if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 1):
            raise UserError(
                f"objective.inversion.window={window} must be a number of rows and columns, 1 or more, or null"
            )
        if channels is not None and not _is_range(channels):
            raise UserError(
                f"objective.inversion.channels={channels} must be the first channel and the one past the last, or null"
            )
        self.mask: Tensor | None
        self.register_buffer("mask", picture_of("objective.inversion.mask=FILE", mask), persistent=False)
        self.targets, self.weight, self.window, self.channels = Targets(target), float(weight), window, channels
        if channels is not None and outline is not None:
            for unit in (unit for each in self.targets.each for unit in each.units):
                find_filters(unit.layer, outline.layers)  # raises if its channels are unknown

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -self.targets.total(lambda units: self._distance(units, seen[units.layer]))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The normalized error ||(Phi(x) - Phi_0) M|| / ||Phi_0 M|| of each unit, as in Table 5."""

        def errors(units: Units) -> Tensor:
            return self._distance(units, seen[units.layer]).sqrt()

        if all(len(target.units) == 1 for target in self.targets.each):
            return {"normalized error": self.targets.total(errors, weighted=False)}
        return {f"normalized error of {name}": error for name, error in self.targets.named(errors).items()}

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        kept = {}
        for layer, activation in seen.items():
            if self.channels is not None and self.channels[1] > activation.shape[1]:
                has = activation.shape[1]
                raise UserError(f"objective.inversion.channels={list(self.channels)}: {layer} has {has} channels")
            kept[layer] = self._masked(activation)
        self.check_fires(kept)
        return super().keep(kept)

    def _distance(self, units: Units, activation: Tensor) -> Tensor:
        wanted = self.wanted_of(units, activation)
        distance = (units.select(self._masked(activation)) - wanted).square().sum(2)
        return distance / wanted.square().sum(2).clamp_min(torch.finfo(wanted.dtype).tiny)

    def _masked(self, activation: Tensor) -> Tensor:
        if self.channels is None and self.window is None and self.mask is None:
            return activation
        mask = torch.ones_like(activation[:1])
        if self.channels is not None:
            mask[:, : self.channels[0]] = 0
            mask[:, self.channels[1] :] = 0
        if self.window is not None:
            for axis in range(2, activation.ndim):
                first = (activation.shape[axis] - self.window) // 2
                places = mask.movedim(axis, 0)
                places[: max(first, 0)] = 0
                places[first + self.window :] = 0
        if self.mask is not None:
            if activation.ndim != 4:
                raise UserError(
                    "objective.inversion.mask needs a layer with rows and columns, which the target's does not have; "
                    "name such a layer, or leave the mask out"
                )
            light = resize(self.mask.to(mask), (activation.shape[2], activation.shape[3]))
            mask = mask * (light.mean(1, keepdim=True) >= _LIGHT)
        return activation * mask


def _is_range(channels: Any) -> bool:
    pair = isinstance(channels, Sequence) and not isinstance(channels, str) and len(channels) == 2
    return pair and all(type(number) is int for number in channels) and 0 <= channels[0] < channels[1]
