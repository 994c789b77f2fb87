"""The number that is explained: what a target's units do in a picture."""

from __future__ import annotations

from torch import Tensor, nn

from genviz.errors import UserError
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
        return self._targets.activation(self.classifier(images, self._targets.layers))

    def with_layer(self, images: Tensor, layer: str) -> tuple[Tensor, Tensor]:
        """The scores (n,), and the activations (n, *shape) of ``layer`` that they were computed from.

        Both belong to one graph, so that the scores can be differentiated with respect to the activations.
        """
        layers = self._targets.layers
        if layer in layers:
            seen = self.classifier(images, layers)
            return self._targets.activation(seen), seen[layer]
        kept = []

        def keep(values: Tensor) -> Tensor:
            kept.append(values)
            return values

        seen = self.classifier.seen_through(images, layers, layer, keep)
        if not kept:
            raise UserError(f"{self.target} does not depend on {layer}; choose a layer before it")
        return self._targets.activation(seen), kept[0]
