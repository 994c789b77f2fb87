"""Caricature: what the classifier sees in a picture, exaggerated."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target
from genviz.targets.responses import select, weighted


class Caricature(Reference):
    """<Phi(x), Phi_0> / Z, Phi_0 = max(0, Phi(x_0)), Z = ||Phi_0||^2 (Mahendran & Vedaldi 2016, section 7, Eq. 4).

    The paper says Z = ||Phi_0||, with which the score of x_0 grows with the layer's size; its code squares it, so that
    the score of x_0 is 1.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        image: the file of x_0, from which the generator starts too.
        weight: C.
    """

    def __init__(
        self,
        target: Target,
        outline: Outline | None = None,  # noqa: ARG002
        *,
        image: str | Tensor | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(image, "image=FILE, or objective.caricature.image=FILE")
        self.target, self.weight = target, float(weight)

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        kept = {layer: activation.relu() for layer, activation in seen.items()}
        for unit in self.target.units:
            if not select(unit, kept[unit.layer]).any():
                raise UserError(f"{unit.name} does not fire for the picture; there is nothing to exaggerate")
        return kept

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        each = []
        for unit in self.target.units:
            wanted = select(unit, self.wanted[unit.layer])
            size = wanted.square().sum(1).clamp_min(torch.finfo(wanted.dtype).tiny)
            each.append((select(unit, seen[unit.layer]) * wanted).sum(1) / size)
        return weighted(self.target, torch.stack(each, 1))

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"inner product (1: as the picture)": self(seen)}
