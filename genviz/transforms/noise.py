"""Noise on each pixel."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform


class RandomNoise(Transform):
    """Adds N(0, deviation) and, evenly, up to half the deviation either way to each number, as MACO does.

    Args:
        deviation: in units of RGB in [0, 1].
    """

    def __init__(self, *, deviation: float) -> None:
        super().__init__()
        if not deviation >= 0:
            raise UserError(f"transform: deviation={deviation} of the noise is 0 or more")
        self.deviation = float(deviation)

    def forward(self, images: Tensor) -> Tensor:
        """Change ``images`` (n * views, 3, h, w); they may leave [0, 1]."""
        shape = (len(images) // len(self.streams), *images.shape[1:])
        drawn = self.streams.normal(*shape) + self.streams.uniform(-0.5, 0.5, *shape)
        return images + self.deviation * drawn.flatten(0, 1).to(images)
