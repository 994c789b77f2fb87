"""The generator whose parameters are the grey levels of an image's pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genviz.generators.pixels import picture_of, size_of
from genviz.images.pictures import resize
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_MIDDLE = 127.5
_LUMA = (0.299, 0.587, 0.114)
_QUANTILE = 0.95  # of |U(-1, 1)|, as in Mahendran & Vedaldi's code for colours
_LENGTH = 80.0  # of a pixel, at that quantile


class GreyPixels(Generator):
    """A grey image's pixels, each a parameter: 0-255 minus 127.5, and free to leave that range.

    For networks that look at grey levels alone, which leave the hue of `genviz.generators.pixels.Pixels` open.

    Args:
        size: rows and columns, in pixels; None for those of the starting picture; one number for its shape with a
            longer side of that many pixels.
        start: ``grey``; ``noise``, uniform, about 80 of 255 strong; or a picture's file, which is resized.
        streams: random streams, one per image.

    Raises:
        UserError: a setting is unknown, or the picture cannot be read.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: tuple[int, int] | int | None = (224, 224),
        start: str | Tensor = "noise",
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        streams = streams or Streams()
        picture = picture_of(start)
        rows, columns = self.size = size_of(size, picture)
        if picture is not None:
            luma = torch.tensor(_LUMA).view(1, 3, 1, 1)
            grey = (resize(picture, self.size) * luma).sum(1, keepdim=True)
            first = (255 * grey - _MIDDLE).expand(max(len(streams), len(picture)), 1, rows, columns)
        elif start == "noise":
            even = streams.uniform(-1, 1, 1, rows, columns)
            first = even * (_LENGTH / _QUANTILE)
        else:
            first = torch.zeros(len(streams), 1, rows, columns)
        self.values = nn.Parameter(first.clone())

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    def forward(self) -> Sample:
        images = ((self.values + _MIDDLE) / 255).expand(-1, 3, -1, -1)
        return Sample(images, {"pixels": self.values})
