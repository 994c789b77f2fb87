"""The content of a picture: its activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target, parse_target
from genviz.targets.units import Targets, Units


class Content(Reference):
    """-sum_l v_l 1/2 ||X^l - C^l||^2, times alpha (Gatys et al. 2015; Gerretsen & Grinsztajn, Eq. 3).

    Args:
        target: the layers l with their weights v_l, or filters and neurons of them.
        outline: the classifier's.
        image: the file of the picture c.
        at: layers instead of the target's, ``layer:relu4_2+relu5_2``.
        weight: alpha.
        relative: divide each layer's loss by its value for zero features, 1/2 ||C^l||^2.
    """

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline,
        *,
        image: str | Tensor | None = None,
        at: str | None = None,
        weight: float = 1.0,
        relative: bool = False,
    ) -> None:
        super().__init__(image, "image=FILE, or objective.content.image=FILE")
        self.targets = Targets(target if at is None else parse_target(at, outline.labels, outline.layers))
        self.weight, self.relative = float(weight), bool(relative)

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.relative:
            self.check_fires(seen)
        return super().keep(seen)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -self.targets.total(lambda units: self._distance(units, seen[units.layer]))

    def _distance(self, units: Units, activation: Tensor) -> Tensor:
        wanted = self.wanted_of(units, activation)
        distance = (units.select(activation) - wanted).square().sum(2)
        tiny = torch.finfo(wanted.dtype).tiny  # of a unit that is not the target's, which may be 0
        return distance / (wanted.square().sum(2).clamp_min(tiny) if self.relative else 2)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"content loss": -self(seen)}
