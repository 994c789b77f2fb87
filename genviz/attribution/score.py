"""The number that is explained: what a target's units do in a picture."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from genviz.interfaces import Classifier
from genviz.targets.grammar import Target
from genviz.targets.units import Targets


class Score(nn.Module):
    """The weighted sum of the activations of a target's units, as `genviz.judge` reads it.

    Args:
        classifier: looks at the pictures.
        target: any; a class is its score before the softmax.

    >>> import genviz, torch
    >>> from genviz.attribution.score import Score
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> outline = classifier.outline
    >>> score = Score(classifier, genviz.parse_target("class:harmonica", outline.labels, outline.layers))
    >>> score(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2])
    """

    def __init__(self, classifier: Classifier, target: Target) -> None:
        super().__init__()
        self.classifier, self.target = classifier, target
        self._targets = Targets(target).to(classifier.device)

    def forward(self, images: Tensor) -> Tensor:
        """Score RGB pictures (n, 3, h, w) in [0, 1], (n,)."""
        return self.read(images)[0]

    def read(self, images: Tensor, *layers: str) -> tuple[Tensor, dict[str, Any]]:
        """The scores (n,), and the activations (n, *shape) of further ``layers`` in the same pass, by name."""
        seen = self.classifier(images, list(dict.fromkeys((*self._targets.layers, *layers))))
        return self._targets.activation(seen), {layer: seen[layer] for layer in layers}
