"""What an objective remembers of a picture."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.images import read_upright
from genviz.interfaces import Classifier, Objective


class Reference(Objective, ABC):
    """An objective that compares what is seen with what the classifier sees in a picture.

    Args:
        image: the picture's file, of any size and mode.
        name: what the setting is called, for the one who forgot it.
    """

    def __init__(self, image: str | None, name: str = "image") -> None:
        super().__init__()
        if not image or not isinstance(image, str):
            raise UserError(f"say which picture: objective.{name}=FILE")
        self.image = Path(image).expanduser()
        self.picture = read_upright(self.image)
        self.wanted: dict[str, Tensor] = {}

    def remember(self, classifier: Classifier) -> None:
        device = next(classifier.parameters()).device
        with torch.no_grad():
            self.wanted = self.keep(classifier(self.picture.to(device), self.layers))

    def keep(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is kept of what the classifier sees in the picture."""
        return dict(seen)


def weights_of(layers: Sequence[str], weights: Sequence[float] | None, name: str) -> list[float]:
    """One weight a layer, all 1 if none are given.

    Raises:
        UserError: there are more or fewer.
    """
    given = [1.0] * len(layers) if weights is None else [float(weight) for weight in weights]
    if len(given) != len(layers):
        raise UserError(f"{name} has {len(given)} weights for {len(layers)} layers ({', '.join(layers)}); give as many")
    return given
