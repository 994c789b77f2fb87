"""The generator of stickers."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.images.shapes import SHAPES, Shape, opacity
from genviz.interfaces import Generator, Sample

_SMALLEST, _LARGEST = 8, 4096  # pixels


class Patch(Generator):
    """The pixels of a sticker, RGB in [0, 1] (Brown et al. 2017).

    The parameters are the pixels themselves, and each update is followed by a projection: they are clipped to [0, 1].
    In ``eval`` mode, what lies outside of the shape, but for a rim of a pixel, is white; in ``train`` mode it is left
    as it is, as the transform that pastes the sticker does not show it.

    Args:
        size: rows and columns, in pixels; about as many as it is pasted with.
        shape: ``circle`` or ``square``; outside of a circle, the sticker is transparent.
        start: ``grey``, or ``noise``, uniform in [0, 1].
        streams: random streams, one per image.

    Raises:
        UserError: a setting is unknown.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: int = 96,
        shape: Shape = "circle",
        start: Literal["grey", "noise"] = "grey",
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        streams = streams or Streams()
        if type(size) is not int or not _SMALLEST <= size <= _LARGEST:
            raise UserError(f"generator.size={size} must be a whole number of pixels from {_SMALLEST} to {_LARGEST}")
        if shape not in SHAPES:
            raise UserError(f"generator.shape={shape} is unknown; it takes {', '.join(SHAPES)}")
        if start not in ("grey", "noise"):
            raise UserError(f"generator.start={start} is unknown; it takes grey, noise")
        rimmed = F.max_pool2d((opacity(shape, size) > 0).float(), 3, 1, 1)
        self.register_buffer("shown", rimmed, persistent=False)
        self.shown: Tensor  # (1, size, size)
        grey = torch.full((len(streams), 3, size, size), 0.5)
        self.values = nn.Parameter(grey if start == "grey" else streams.uniform(0, 1, 3, size, size))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.values.shape[2], self.values.shape[3]

    @torch.no_grad()
    def constrain(self) -> None:
        self.values.clamp_(0, 1)

    def forward(self) -> Sample:
        images = self.values if self.training else self.values * self.shown + 1 - self.shown
        return Sample(images, {"pixels": self.values})
