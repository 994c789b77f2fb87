"""Dropout inside the classifier."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import FeatureTransform


class Dropout(FeatureTransform):
    """Sets values of a layer to 0, each with probability ``share``, and divides the others by 1 - share.

    Each view in each update is judged by another part of the network (Srivastava et al. 2014), so that a picture must
    convince many: what fools one does not fool all (Li et al. 2020, whose adversarial examples fool other networks more
    often so). The final verdict is the whole network's.

    Args:
        share: of the values, from 0 up to but not including 1; the usual one is 0.5.
        layer: as in `FeatureTransform`.
    """

    def __init__(self, *, share: float, layer: str | int | None = None) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise UserError(f"transform: the dropout's share={share} must be from 0 up to, but not including, 1")
        self.share, self.layer = float(share), None if layer is None else str(layer)  # a module may be called 3

    def drawn(self, *shape: int) -> Tensor:
        """What each value is multiplied by, (n, *shape)."""
        return (self.streams.uniform(0.0, 1.0, *shape) >= self.share) / (1 - self.share)

    def changed(self, features: Tensor, drawn: Tensor) -> Tensor:
        """The ``features`` (rows, *shape), changed by ``drawn``, of the same shape."""
        return features * drawn.to(features)
