"""The number that is explained: what a target's units do in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from torch import Tensor, nn

from genviz.errors import UserError
from genviz.interfaces import SCORES, Classifier
from genviz.targets.grammar import Target
from genviz.targets.probabilities import ending_of, log_probabilities, probabilities
from genviz.targets.units import Targets

Measure = Literal["score", "probability", "log_probability"]
"""Of a class: its score before the softmax; its probability, which other classes lower; the logarithm of that."""


class Score(nn.Module):
    """The weighted sum of the activations of a target's units, as `genviz.judge` reads it.

    Args:
        classifier: looks at the pictures.
        target: any.
        measure: what of it is scored. A probability, and its logarithm, is that of a class.

    Raises:
        UserError: the probability of a target that is not a class.

    >>> import genviz, torch
    >>> from genviz.attribution.score import Score
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> outline = classifier.outline
    >>> score = Score(classifier, genviz.parse_target("class:harmonica", outline.labels, outline.layers))
    >>> score(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2])
    """

    def __init__(self, classifier: Classifier, target: Target, measure: Measure = "score") -> None:
        super().__init__()
        self.classifier, self.target, self.measure = classifier, target, measure
        self._targets = Targets(target).to(classifier.device)
        if measure != "score" and class_of(target) is None:
            raise UserError(f"{target} is not a class, and only classes have a probability; choose measure=score")

    def forward(self, images: Tensor) -> Tensor:
        """Score RGB pictures (n, 3, h, w) in [0, 1], (n,)."""
        return self._of(self.classifier(images, self._targets.layers))

    def with_layer(self, images: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """The scores (n,), and the activations (n, *shape) of ``layer`` that they were computed from.

        Both belong to one graph, so that the scores can be differentiated with respect to the activations.
        """
        layers = self._targets.layers
        if layer in layers:
            seen = self.classifier(images, layers)
            return self._of(seen), seen[layer]
        kept = []

        def keep(values: Tensor) -> Tensor:
            kept.append(values)
            return values

        seen = self.classifier.seen_through(images, layers, layer, keep)
        if not kept:
            raise UserError(f"{self.target} does not depend on {layer}; choose a layer before it")
        return self._of(seen), kept[0]

    def _of(self, seen: Mapping[str, Tensor]) -> Tensor:
        if self.measure == "score":
            return self._targets.activation(seen)
        chances = probabilities if self.measure == "probability" else log_probabilities
        return chances(seen[SCORES], ending_of(self.classifier))[:, class_of(self.target)]


def class_of(target: Target) -> int | None:
    """The number of the class that ``target`` is; None if it is something else, or more than that."""
    alone = len(target.units) == 1 and target.units[0].kind == "class" and not target.silences
    return target.units[0].index[0] if alone else None
