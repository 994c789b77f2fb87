"""Pixels: the generator whose parameters are the image."""

from __future__ import annotations

import torch
from torch import nn

from genviz.errors import UserError
from genviz.interfaces import Generator, Sample


class Pixels(Generator):
    """An image's pixels, each its own parameter, RGB in [0, 1] through a sigmoid; grey with a little noise at first.

    Args:
        size: rows and columns, in pixels.
        noise: standard deviation of the first values, before the sigmoid.
    """

    def __init__(self, *, size: tuple[int, int] = (224, 224), noise: float = 0.01) -> None:
        super().__init__()
        if len(size) != 2 or not all(isinstance(side, int) and side > 1 for side in size):
            raise UserError(f"generator.size={list(size)} is no size; it is rows and columns, 2 or more of each")
        self.values = nn.Parameter(float(noise) * torch.randn(1, 3, *size))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.values.shape[2], self.values.shape[3]

    def forward(self) -> Sample:
        return Sample(self.values.sigmoid(), {"pixels": self.values})
