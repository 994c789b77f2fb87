"""Pixels: the generator whose parameters are the image."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images import MEAN_COLOUR, read_upright, resize
from genviz.interfaces import Generator, Sample

_RANGES = ("sigmoid", "open")
_QUANTILE = 0.95  # of U(-1, 1), in Mahendran & Vedaldi's code
_LENGTH = 80.0  # of a pixel's colour vector, at that quantile
_NARROW = 0.5 / 255  # how far a picture's pixels stay from the ends of a sigmoid


class Pixels(Generator):
    """An image's pixels, each its own parameter.

    Args:
        size: rows and columns, in pixels; None for those of the picture that is started from.
        start: ``grey``; ``noise``, as Mahendran & Vedaldi's (2016) code draws it, evenly, a colour vector about 80 of
            255 long; or a picture's file, resized.
        noise: standard deviation of what is added to the first parameters.
        range: ``sigmoid``: RGB is a sigmoid of the parameters, in [0, 1]. ``open``: the parameters are the papers' x,
            0-255 minus the mean colour, and may leave the range.
        margin: rows and columns that the canvas has more than the picture, for a transform that cuts from it; the
            settled picture is the middle.

    Raises:
        UserError: a setting is not known, or the picture cannot be read.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int] | None = (224, 224),
        start: str = "grey",
        noise: float = 0.01,
        range: Literal["sigmoid", "open"] = "sigmoid",
        margin: int = 0,
    ) -> None:
        super().__init__()
        if range not in _RANGES:
            raise UserError(f"generator.range={range} is not known; it is {' or '.join(_RANGES)}")
        if not isinstance(margin, int) or margin < 0:
            raise UserError(f"generator.margin={margin} is no whole number from 0 up")
        picture = None if start in ("grey", "noise") else read_upright(Path(start).expanduser())
        if size is None and picture is not None:
            size = (picture.shape[2], picture.shape[3])
        if size is None or len(size) != 2 or not all(isinstance(side, int) and side > 1 for side in size):
            given = None if size is None else list(size)
            raise UserError(f"generator.size={given} is no size; it is rows and columns, 2 or more of each")
        self.range, self.margin, self.size = range, margin, (size[0], size[1])
        self.register_buffer("mean", torch.tensor(MEAN_COLOUR).view(3, 1, 1), persistent=False)
        self.mean: Tensor
        canvas = (1, 3, size[0] + margin, size[1] + margin)
        if picture is not None:
            first = self._parameters_of(resize(picture, (canvas[2], canvas[3])))
        elif start == "noise":
            even = torch.empty(canvas).uniform_(-1, 1)
            x = even / _quantile(even) * _LENGTH / 3**0.5
            first = x if range == "open" else self._parameters_of(((x + self.mean) / 255).clamp(0, 1))
        else:
            first = torch.zeros(canvas)
        self.values = nn.Parameter(first + float(noise) * torch.randn(canvas))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    def forward(self) -> Sample:
        images = self.values.sigmoid() if self.range == "sigmoid" else (self.values + self.mean) / 255
        if not self.training and self.margin:
            first = self.margin // 2
            images = images[..., first : first + self.size[0], first : first + self.size[1]]
        return Sample(images, {"pixels": self.values})

    def _parameters_of(self, images: Tensor) -> Tensor:
        if self.range == "open":
            return 255 * images - self.mean
        return images.clamp(_NARROW, 1 - _NARROW).logit()


def _quantile(values: Tensor) -> float:
    """The 95 % quantile of so many values that `torch.quantile` would refuse them."""
    ordered = values.flatten().sort().values
    return float(ordered[round(_QUANTILE * (len(ordered) - 1))])
