"""A feature map of a real picture, back in pixels (Zeiler & Fergus 2014, section 2.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from genviz.attribution.rectified import Scores, deconvnet, guided_backpropagation
from genviz.interfaces import Classifier

Projection = Literal["deconvnet", "guided_backpropagation"]
_METHODS: dict[Projection, Callable[[Scores, Tensor], Tensor]] = {
    "deconvnet": deconvnet,
    "guided_backpropagation": guided_backpropagation,
}


def projected(
    classifier: Classifier, images: Tensor, layer: str, number: int, method: Projection = "deconvnet"
) -> Tensor:
    """What of the pictures a feature map is made of: the map itself, all others of its layer being 0, sent back.

    The gradient of half the sum of a map's squares is the map, rectified here, as the paper does first.

    Args:
        images: RGB in [0, 1], (n, 3, h, w).
        number: the map's, in ``layer``.

    Returns:
        (n, 3, h, w), signed.

    Raises:
        UserError: there is no such layer.
    """

    def energy(given: Tensor) -> Tensor:
        return classifier(given, [layer])[layer][:, number].flatten(1).clamp_min(0).square().sum(1) / 2

    return _METHODS[method](energy, images)
