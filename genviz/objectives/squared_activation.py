"""DeepDream's objective: more of whatever is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from genviz.interfaces import Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.units import Targets


class SquaredActivation(Objective):
    """sum_t w_t mean f_t^2 over the activations of each of the target's units (Mordvintsev et al. 2015; Kocur 2021).

    Up to a factor, the gradient at the layer is the activation itself, as in DeepDream's code. The mean over positions
    makes the score independent of the picture's size.

    Args:
        target: layers, filters, neurons or classes; or several targets, one for each image.
        outline: the classifier's.
        weight: of the score in a sum of objectives.
    """

    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,  # noqa: ARG002
        *,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.targets, self.weight = Targets(target), float(weight)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.targets.layers

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.total(lambda units: units.select(seen[units.layer]).square().mean(2))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"mean square of the activation": self(seen)}
