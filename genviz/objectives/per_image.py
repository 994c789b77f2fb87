"""An objective for each target, where one takes no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from genviz.interfaces import Classifier, Objective


class PerImage(Objective):
    """The same objective for each of several targets; each scores its share of the images, one after the other.

    Args:
        parts: one per target, in order.
    """

    def __init__(self, parts: Sequence[Objective]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.weight, self.ranked = parts[0].weight, any(part.ranked for part in parts)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for part in self._objectives for layer in part.layers))

    @property
    def sought(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for part in self._objectives for layer in part.sought))

    def remember(self, classifier: Classifier, size: tuple[int, int]) -> None:
        for part in self._objectives:
            part.remember(classifier, size)

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        scores = []
        for part, own in self._shares(seen):
            part.update = self.update
            scores.append(part(own))
        return torch.cat(scores)

    def measure(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        measured = [part.measure(own) for part, own in self._shares(seen)]
        names = dict.fromkeys(name for each in measured for name in each)
        none = torch.full_like(next(iter(measured[0].values())), torch.nan)
        return {name: torch.cat([each.get(name, none) for each in measured]) for name in names}

    def _shares(self, seen: Mapping[str, Tensor]) -> list[tuple[Objective, dict[str, Tensor]]]:
        shares = {layer: values.chunk(len(self.parts)) for layer, values in seen.items()}
        return [
            (part, {layer: shares[layer][number] for layer in part.layers})
            for number, part in enumerate(self._objectives)
        ]

    @property
    def _objectives(self) -> list[Objective]:
        return [part for part in self.parts if isinstance(part, Objective)]
