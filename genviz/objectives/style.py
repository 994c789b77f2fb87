"""The style of a picture: which features occur together, wherever they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_filters
from genviz.targets.units import Targets


class Style(Reference):
    """-sum_l w_l 1 / (4 N_l^2 M_l^2) ||X^l X^l^T - S^l S^l^T||^2, times beta (Gerretsen & Grinsztajn, Eq. 4).

    N_l features at M_l positions (Gatys et al. 2015). By itself it is texture synthesis (Kocur 2021). The style
    picture may have another shape: each Gram matrix is divided by its own number of positions.

    Args:
        target: the layers l with their weights w_l.
        outline: the classifier's.
        image: the file of the picture s.
        at: layers instead of the target's, ``layer:relu1_1+relu2_1@0.7``.
        weight: beta.
        relative: divide each layer's loss by ||S^l S^l^T||^2 instead of 4 N^2 M^2, so that layers count equally in
            networks whose activations are not scaled to a mean of 1, as Gatys et al. did.

    Raises:
        UserError: something other than layers with positions is named.
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
        super().__init__(image, "style=FILE, or objective.style.image=FILE")
        self.targets = Targets(target if at is None else parse_target(at, outline.labels, outline.layers))
        self.weight, self.relative = float(weight), bool(relative)
        for unit in (unit for each in self.targets.each for unit in each.units):
            if unit.kind != "layer" or len(find_filters(unit.layer, outline.layers).shape) < 2:
                raise UserError(f"a style needs convolutional layers, such as layer:relu1_1, not {unit.name}")

    def fit(self, size: tuple[int, int]) -> tuple[int, int]:
        """The picture's own shape, with as many pixels as the images have."""
        rows, columns = self.picture.shape[2:]
        scale = math.sqrt(math.prod(size) / (rows * columns))
        return max(1, round(scale * rows)), max(1, round(scale * columns))

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if self.relative:
            self.check_fires(seen)
        return {layer: gram(activation) for layer, activation in seen.items()}

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return -self.targets.total(lambda units: self._distance(units.layer, seen)[:, None])

    def _distance(self, layer: str, seen: Mapping[str, Tensor]) -> Tensor:
        wanted = self.wanted[layer]
        distance = (gram(seen[layer]) - wanted).square().sum((1, 2))
        return distance / (wanted.square().sum((1, 2)) if self.relative else 4 * wanted.shape[1] ** 2)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"style loss": -self(seen)}


def gram(activation: Tensor) -> Tensor:
    """The Gram matrix A A^T / M, (n, c, c), of features A (n, c, ...) at M positions."""
    features = activation.flatten(2)
    return features @ features.mT / features.shape[2]
