"""The generator whose parameters are the image's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images.pictures import MEAN_COLOUR, read_upright, resize
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_RANGES = ("sigmoid", "open", "clipped")
_QUANTILE = 0.95  # of U(-1, 1), in Mahendran & Vedaldi's code
_LENGTH = 80.0  # of a pixel's colour vector, at that quantile
_LUMA = (0.299, 0.587, 0.114)
_NARROW = 0.5 / 255  # distance of a picture's pixels from the sigmoid's limits


class Pixels(Generator):
    """An image's pixels, each a parameter.

    Args:
        size: rows and columns, in pixels; None for those of the starting picture; one number for its shape with a
            longer side of that many pixels.
        start: ``grey``; ``noise``, uniform as in Mahendran & Vedaldi's (2016) code, with colour vectors about 80 of 255
            long; ``bright``, x uniform from 100 to 101, as in Réda & Xu's (2018) code; or a picture's file, which is
            resized.
        noise: standard deviation of the noise added to the initial parameters.
        range: ``sigmoid``: RGB is a sigmoid of the parameters, in [0, 1]. ``open``: the parameters are the papers' x,
            0-255 minus the mean colour, and may leave the range. ``clipped``: as ``open``, but clipped to the range
            before each forward pass, which is DeepDream's clipping after each step.
        margin: extra rows and columns of the canvas, for a transform that crops from it; the final image is the centre.
        grey: one parameter for a pixel's three colours, for networks that look at grey levels alone.
        streams: random streams, one per image.

    Raises:
        UserError: a setting is unknown, or the picture cannot be read.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: tuple[int, int] | int | None = (224, 224),
        start: str | Tensor = "grey",
        noise: float = 0.01,
        range: Literal["sigmoid", "open", "clipped"] = "sigmoid",
        margin: int = 0,
        grey: bool = False,
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        streams = streams or Streams()
        if range not in _RANGES:
            raise UserError(f"generator.range={range} is unknown; it takes {', '.join(_RANGES)}")
        if not isinstance(margin, int) or margin < 0:
            raise UserError(f"generator.margin={margin} must be a whole number, 0 or more")
        picture = picture_of(start)
        rows, columns = self.size = size_of(size, picture)
        self.range, self.margin = range, margin
        mean = torch.tensor(MEAN_COLOUR).view(3, 1, 1)
        self.register_buffer("mean", mean.mean(0, keepdim=True) if grey else mean, persistent=False)
        self.mean: Tensor
        canvas = (len(self.mean), rows + margin, columns + margin)
        if picture is not None:
            picture = (picture * torch.tensor(_LUMA).view(3, 1, 1)).sum(1, keepdim=True) if grey else picture
            first = self._parameters_of(resize(picture, canvas[1:])).expand(max(len(streams), len(picture)), *canvas)
        elif start == "noise":
            x = torch.stack(
                [even / _quantile(even) * _LENGTH / len(self.mean) ** 0.5 for even in streams.uniform(-1, 1, *canvas)]
            )
            first = self._parameters_of(((x + self.mean) / 255).clamp(0, 1)) if range == "sigmoid" else x
        elif start == "bright":
            x = 100 + streams.uniform(0, 1, *canvas)
            first = self._parameters_of(((x + self.mean) / 255).clamp(0, 1)) if range == "sigmoid" else x
        else:
            first = torch.zeros(len(streams), *canvas)
        self.values = nn.Parameter(first + float(noise) * streams.normal(*canvas) if noise else first.clone())

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    def forward(self) -> Sample:
        if self.range == "clipped":
            with torch.no_grad():
                self.values.copy_(self.values.maximum(-self.mean).minimum(255 - self.mean))
        images = self.values.sigmoid() if self.range == "sigmoid" else (self.values + self.mean) / 255
        if not self.training and self.margin:
            first = self.margin // 2
            images = images[..., first : first + self.size[0], first : first + self.size[1]]
        return Sample(images.expand(-1, 3, -1, -1), {"pixels": self.values})

    def _parameters_of(self, images: Tensor) -> Tensor:
        if self.range == "sigmoid":
            return images.clamp(_NARROW, 1 - _NARROW).logit()
        return 255 * images - self.mean


def picture_of(start: Any) -> Tensor | None:
    """The picture that a generator starts from, (n, 3, h, w); None for ``grey``, ``noise`` and ``bright``.

    Raises:
        UserError: it cannot be read, or there is none.
    """
    if start is None:
        raise UserError("say which picture: image=FILE, or generator.start=FILE; or start from grey or noise")
    if isinstance(start, Tensor):
        if start.ndim != 4 or start.shape[1] != 3 or not start.is_floating_point():
            raise UserError(f"a picture must be RGB in [0, 1], (1, 3, h, w), not {tuple(start.shape)}, {start.dtype}")
        return start
    if not isinstance(start, str):
        raise UserError(f"generator.start={start} is unknown; it takes grey, noise, bright, or a picture's file")
    return None if start in ("grey", "noise", "bright") else read_upright(Path(start).expanduser())


def size_of(size: Any, picture: Tensor | None) -> tuple[int, int]:
    """Rows and columns, where one number is the longer side of ``picture``, and None its own size.

    Raises:
        UserError: it is no size.
    """
    if picture is not None and (size is None or isinstance(size, int)):
        rows, columns = picture.shape[2], picture.shape[3]
        scale = 1.0 if size is None else size / max(rows, columns)
        size = (round(scale * rows), round(scale * columns))
    if not isinstance(size, Sequence) or len(size) != 2 or not all(isinstance(s, int) and s > 1 for s in size):
        raise UserError(
            f"generator.size={size} must be rows and columns, such as [224,224], 2 or more of each; "
            "with a picture to start from, also one number, its longer side"
        )
    return size[0], size[1]


def _quantile(values: Tensor) -> float:
    """The 95 % quantile; `torch.quantile` refuses this many values."""
    ordered = values.flatten().sort().values
    return float(ordered[round(_QUANTILE * (len(ordered) - 1))])
