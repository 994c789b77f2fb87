"""The content of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.interfaces import Outline
from genviz.objectives.reference import Reference, weights_of
from genviz.targets import Target


class Content(Reference):
    """-alpha sum_l v_l 1/2 ||X^l - C^l||^2 (Gatys et al. 2015; Gerretsen & Grinsztajn, Eq. 3).

    Args:
        target: not looked at.
        outline: of the classifier.
        image: the file of the picture c.
        at: the layers.
        weight: alpha.
        weights: v_l, one a layer; None for 1 each.
    """

    def __init__(
        self,
        target: Target | None = None,  # noqa: ARG002
        outline: Outline | None = None,  # noqa: ARG002
        *,
        image: str | None = None,
        at: Sequence[str] = ("relu4_2",),
        weight: float = 1.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(image, "content.image")
        self.at, self.weight = tuple(at), float(weight)
        self.weights = weights_of(self.at, weights, "objective.content.weights")

    @property
    def layers(self) -> tuple[str, ...]:
        return self.at

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        losses = [
            weight * (seen[layer] - self.wanted[layer]).square().flatten(1).sum(1) / 2
            for layer, weight in zip(self.at, self.weights, strict=True)
        ]
        return -self.weight * torch.stack(losses).sum(0)
