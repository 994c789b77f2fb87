"""The style of a picture: which features go together, wherever they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference, weights_of
from genviz.targets import Target


class Style(Reference):
    """-beta sum_l w_l 1 / (4 N_l^2 M_l^2) ||X^l X^l^T - S^l S^l^T||^2 (Gerretsen & Grinsztajn, Eq. 4).

    N_l features at M_l positions (Gatys et al. 2015). By itself it is texture synthesis (Kocur 2021). The style's
    picture may have another size: each Gram matrix is divided by its own number of positions.

    Args:
        target: not looked at.
        outline: of the classifier.
        image: the file of the picture s.
        at: the layers.
        weight: beta.
        weights: w_l, one a layer; None for 1 each.
    """

    def __init__(
        self,
        target: Target | None = None,  # noqa: ARG002
        outline: Outline | None = None,  # noqa: ARG002
        *,
        image: str | None = None,
        at: Sequence[str] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
        weight: float = 1.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(image, "style.image")
        self.at, self.weight = tuple(at), float(weight)
        self.weights = weights_of(self.at, weights, "objective.style.weights")

    @property
    def layers(self) -> tuple[str, ...]:
        return self.at

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {layer: gram(activation) for layer, activation in seen.items()}

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        losses = []
        for layer, weight in zip(self.at, self.weights, strict=True):
            difference = gram(seen[layer]) - self.wanted[layer]
            losses.append(weight * difference.square().sum((1, 2)) / (4 * difference.shape[1] ** 2))
        return -self.weight * torch.stack(losses).sum(0)


def gram(activation: Tensor) -> Tensor:
    """A A^T / M of the features A (n, c, h, w), (n, c, c)."""
    if activation.ndim < 3:
        raise UserError("a style is of layers with positions; name convolutional ones")
    features = activation.flatten(2)
    return features @ features.mT / features.shape[2]
