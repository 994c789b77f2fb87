"""Caricature: what the classifier sees in a picture, exaggerated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target
from genviz.targets.units import Targets, Units


class Caricature(Reference):
    """<Phi(x), Phi_0> / Z, Phi_0 = max(0, Phi(x_0)), Z = ||Phi_0||^2 (Mahendran & Vedaldi 2016, section 7, Eq. 4).

    The paper says Z = 1 / ||Phi_0||, which is the factor and not the divisor; its code divides by the square, so that
    the score of x_0 is 1 whatever the layer's size.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        image: the file of x_0, from which the generator starts too.
        weight: C.
    """

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,  # noqa: ARG002
        *,
        image: str | Tensor | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(image, "image=FILE, or objective.caricature.image=FILE")
        self.targets, self.weight = Targets(target), float(weight)

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        kept = {layer: activation.relu() for layer, activation in seen.items()}
        for unit, values in self.units_of(kept):
            if not values.any():
                raise UserError(f"{unit.name} does not fire for the picture; there is nothing to exaggerate")
        return kept

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.total(lambda units: self._along(units, seen[units.layer]))

    def _along(self, units: Units, activation: Tensor) -> Tensor:
        wanted = self.wanted_of(units, activation)
        size = wanted.square().sum(2).clamp_min(torch.finfo(wanted.dtype).tiny)
        return (units.select(activation) * wanted).sum(2) / size

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"inner product (1: as the picture)": self(seen)}
