"""Several images, each with its own objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from genviz.interfaces import Classifier, Objective
from genviz.objectives.sum import Sum


class PerImage(Objective):
    """The objectives of a batch's images, in order; each scores its share of the activations.

    Args:
        parts: one per image, or per equal share of the images; they may read different layers.

    Attributes:
        scores: the images' scores by the names of their objectives' parts, as in `Sum`.
    """

    def __init__(self, parts: Sequence[Objective]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.ranked = any(part.ranked for part in parts)
        self.scores: dict[str, Tensor] = {}

    def __getitem__(self, which: int) -> Objective:
        part = self.parts[which]
        assert isinstance(part, Objective)
        return part

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for part in self._objectives for layer in part.layers))

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        for part in self._objectives:
            part.remember(classifier, size)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = []
        shares = {layer: values.chunk(len(self.parts)) for layer, values in seen.items()}
        for number, part in enumerate(self._objectives):
            part.update = self.update
            scores.append(part({layer: shares[layer][number] for layer in part.layers}))
        named = [part.scores if isinstance(part, Sum) else {} for part in self._objectives]
        self.scores = {name: torch.cat([part[name] for part in named]) for name in named[0]}
        return torch.cat(scores)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"score": self(seen)}

    @property
    def _objectives(self) -> list[Objective]:
        return [self[number] for number in range(len(self.parts))]
