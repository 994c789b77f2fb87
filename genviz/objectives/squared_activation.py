"""DeepDream's objective: more of whatever is there."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genviz.interfaces import Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.responses import select, weighted


class SquaredActivation(Objective):
    """sum_t w_t mean f_t^2 over the activations of each of the target's units (Mordvintsev et al. 2015; Kocur 2021).

    Up to a factor, the gradient at the layer is the activation itself, as in DeepDream's code. The mean over positions
    makes the score independent of the picture's size.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        weight: of the score in a sum of objectives.
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
