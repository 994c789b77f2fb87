"""DeepDream's objective: whatever is there, more of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genviz.interfaces import Objective, Outline
from genviz.readout import select
from genviz.targets import Target


class SquaredActivation(Objective):
    """sum_t w_t sum f_t^2 over all that a unit of the target computes (Mordvintsev et al. 2015; Kocur 2021).

    Its gradient at the layer is the activation itself, which is how DeepDream's code has it. A mean over positions, so
    that its size does not depend on the picture's.

    Args:
        target: layers, filters, neurons or classes.
        outline: of the classifier.
    """

    def __init__(self, target: Target, outline: Outline | None = None) -> None:  # noqa: ARG002
        super().__init__()
        self.target = target

    @property
    def layers(self) -> tuple[str, ...]:
        return self.target.layers

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        each = [select(unit, seen[unit.layer]).square().mean(1) for unit in self.target.units]
        return torch.stack(each, 1) @ each[0].new_tensor([unit.weight for unit in self.target.units])
