"""Inversion: an image with the code of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target, Unit
from genviz.targets.layers import find_filters
from genviz.targets.responses import select, weighted


class Inversion(Reference):
    """-||(Phi(x) - Phi_0) M||^2 / ||Phi_0 M||^2, times C (Mahendran & Vedaldi 2016, Eq. 2 and 3).

    Phi_0 is the classifier's code for a picture. The mask M keeps what the target names (a layer, or some of its
    filters or neurons) within ``window`` and ``channels``. The distances of several units add up with their weights.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        image: the picture's file.
        weight: C; 1, 20, 100 and 300 in the paper.
        window: rows and columns of the central window that counts (Figure 9: 5); None for all.
        channels: the first channel that counts and the one past the last (Figure 10: one stream's half); None for all.
    """

    def __init__(
        self,
        target: Target,
        outline: Outline | None = None,
        *,
        image: str | Tensor | None = None,
        weight: float = 1.0,
        window: int | None = None,
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
        if channels is not None and outline is not None:
            for unit in target.units:
                find_filters(unit.layer, outline.layers)  # raises if its channels are unknown
        self.target, self.weight, self.window, self.channels = target, float(weight), window, channels

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        distances = torch.stack([self._distance(unit, seen) for unit in self.target.units], 1)
        return -weighted(self.target, distances)

    def errors(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The normalized error ||(Phi(x) - Phi_0) M|| / ||Phi_0 M|| of each unit, (n, units), as in Table 5."""
        return torch.stack([self._distance(unit, seen).sqrt() for unit in self.target.units], 1)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        errors = self.errors(seen)
        if len(self.target.units) == 1:
            return {"normalized error": errors[:, 0]}
        return {f"normalized error of {u.name}": e for u, e in zip(self.target.units, errors.unbind(1), strict=True)}

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        for unit in self.target.units:
            activation = seen[unit.layer]
            if self.channels is not None and self.channels[1] > activation.shape[1]:
                has = activation.shape[1]
                raise UserError(f"objective.inversion.channels={list(self.channels)}: {unit.layer} has {has} channels")
            if not self._masked(unit, activation).any(1).all():
                raise UserError(f"{unit.name} is all 0 for the picture and cannot be inverted; name more of the layer")
        return super().keep(seen)

    def _distance(self, unit: Unit, seen: Mapping[str, Tensor]) -> Tensor:
        got, wanted = (self._masked(unit, activations[unit.layer]) for activations in (seen, self.wanted))
        if len(wanted) > 1:  # one picture per image, which may have several views
            wanted = wanted.repeat_interleave(len(got) // len(wanted), 0)
        return (got - wanted).square().sum(1) / wanted.square().sum(1).clamp_min(torch.finfo(wanted.dtype).tiny)

    def _masked(self, unit: Unit, activation: Tensor) -> Tensor:
        if self.channels is None and self.window is None:
            return select(unit, activation)
        mask = torch.ones_like(activation[:1])
        if self.channels is not None:
            mask[:, : self.channels[0]] = 0
            mask[:, self.channels[1] :] = 0
        if self.window is not None:
            for axis in range(2, activation.ndim):
                first = (activation.shape[axis] - self.window) // 2
                outside = [place for place in range(activation.shape[axis]) if not 0 <= place - first < self.window]
                mask.index_fill_(axis, torch.tensor(outside, dtype=torch.long, device=mask.device), 0)
        return select(unit, activation * mask)


def _is_range(channels: Any) -> bool:
    pair = isinstance(channels, Sequence) and not isinstance(channels, str) and len(channels) == 2
    return pair and all(type(number) is int for number in channels) and 0 <= channels[0] < channels[1]
