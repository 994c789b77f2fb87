"""A weighted sum of objectives."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from genviz.interfaces import Classifier, Objective


class Sum(Objective):
    """sum_i w_i s_i of the ``parts``' scores s and weights w, as Gatys et al. (2015) add content and style.

    Attributes:
        scores: each part's last score, weighted, (n,).
    """

    def __init__(self, parts: Mapping[str, Objective]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.ranked = any(part.ranked for part in parts.values())
        self.scores: dict[str, Tensor] = {}

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for part in self._objectives.values() for layer in part.layers))

    @property
    def sought(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for part in self._objectives.values() for layer in part.sought))

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        for part in self._objectives.values():
            part.remember(classifier, size)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = {}
        for name, part in self._objectives.items():
            part.update = self.update
            scores[name] = part.weight * part(seen)
        self.scores = {name: score.detach() for name, score in scores.items()}
        first, *others = scores.values()
        return sum(others, first)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        measures = {name: part.measure(seen) for name, part in self._objectives.items()}
        alone = len(measures) == 1
        return {
            what if alone else f"{name}, {what}": value
            for name, measured in measures.items()
            for what, value in measured.items()
        }

    @property
    def _objectives(self) -> dict[str, Objective]:
        return {name: part for name, part in self.parts.items() if isinstance(part, Objective)}
