"""The direction of a picture's code, regardless of its length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor
from torch.nn.functional import cosine_similarity

from genviz.interfaces import Outline
from genviz.objectives.reference import Reference
from genviz.targets.grammar import Target
from genviz.targets.units import Targets, Units


class Cosine(Reference):
    """<Phi(x), Phi_0> / (||Phi(x)|| ||Phi_0||), from -1 to 1 (Olah et al. 2017): inversion that ignores contrast.

    Args:
        target: layers, filters, neurons or classes.
        outline: the classifier's.
        image: the picture's file.
        weight: of the score in a sum of objectives.
    """

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,  # noqa: ARG002
        *,
        image: str | Tensor | None = None,
        weight: float = 1.0,
    ) -> None:
        super().__init__(image, "image=FILE, or objective.cosine.image=FILE")
        self.targets, self.weight = Targets(target), float(weight)

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.check_fires(seen)
        return super().keep(seen)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        return self.targets.total(lambda units: self._along(units, seen[units.layer]))

    def _along(self, units: Units, activation: Tensor) -> Tensor:
        return cosine_similarity(units.select(activation), self.wanted_of(units, activation), 2)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"cosine": self(seen)}
