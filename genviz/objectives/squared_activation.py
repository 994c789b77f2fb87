"""DeepDream's objective: whatever is there, more of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genviz.interfaces import Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.responses import select, weighted


class SquaredActivation(Objective):
    """sum_t w_t mean f_t^2 over all that a unit of the target computes (Mordvintsev et al. 2015; Kocur 2021).

    Its gradient at the layer is the activation itself, which is how DeepDream's code has it. A mean over positions, so
    that its size does not depend on the picture's.

    Args:
        target: layers, filters, neurons or classes.
        outline: of the classifier.
        weight: of the score beside other objectives'.
    """

    def __init__(self, target: Target, outline: Outline | None = None, *, weight: float = 1.0) -> None:  # noqa: ARG002
        super().__init__()
        self.target, self.weight = target, float(weight)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.target.layers

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        each = [select(unit, seen[unit.layer]).square().mean(1) for unit in self.target.units]
        return weighted(self.target, torch.stack(each, 1))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"mean square of the activation": self(seen)}
