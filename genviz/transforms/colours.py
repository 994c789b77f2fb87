"""Random lighting."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform

_GREY = 0.45  # about the mean of natural images


class RandomColours(Transform):
    """Random lighting of each image: contrast, brightness and tint; the arguments are standard deviations.

    Args:
        contrast: of the logarithm of the contrast around mid-grey; half of it is the brightness's, in units of [0, 1].
        tint: of each channel's offset, in units of [0, 1].
    """

    def __init__(self, *, contrast: float = 0.0, tint: float = 0.0) -> None:
        super().__init__()
        if contrast < 0 or tint < 0:
            raise UserError(f"transform: contrast={contrast} and tint={tint} must be standard deviations, 0 or more")
        self.contrast, self.tint = float(contrast), float(tint)

    def forward(self, images: Tensor) -> Tensor:
        """Change ``images`` (n * views, 3, h, w) independently; they may leave [0, 1]."""
        views = len(images) // len(self.streams)
        drawn = self.streams.normal(views, 5, 1, 1).flatten(0, 1).to(images)  # contrast, brightness, red, green, blue
        factor, brightness = (self.contrast * drawn[:, :1]).exp(), self.contrast / 2 * drawn[:, 1:2]
        return (images - _GREY) * factor + _GREY + brightness + self.tint * drawn[:, 2:]
