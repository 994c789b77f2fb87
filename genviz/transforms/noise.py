"""Pixel noise."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform


class RandomNoise(Transform):
    """Adds N(0, deviation) + U(-deviation / 2, deviation / 2) to each value, as MACO does.

    Args:
        deviation: standard deviation of the normal part, of RGB in [0, 1].
    """

    def __init__(self, *, deviation: float) -> None:
        super().__init__()
        if not deviation >= 0:
            raise UserError(f"transform: the noise's deviation={deviation} must be 0 or more")
        self.deviation = float(deviation)

    def forward(self, images: Tensor) -> Tensor:
        """Change ``images`` (n * views, 3, h, w); they may leave [0, 1]."""
        shape = (len(images) // len(self.streams), *images.shape[1:])
        drawn = self.streams.normal(*shape) + self.streams.uniform(-0.5, 0.5, *shape)
        return images + self.deviation * drawn.flatten(0, 1).to(images)
