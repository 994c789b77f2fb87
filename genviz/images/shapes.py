"""The outlines of stickers."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor

Shape = Literal["circle", "square"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


@lru_cache(maxsize=8)
def opacity(shape: Shape, side: int) -> Tensor:
    """How much of each pixel of a square of ``side`` pixels lies in the shape, (1, side, side), from 0 to 1."""
    if shape == "square":
        return torch.ones(1, side, side)
    middle = torch.arange(side) + 0.5 - side / 2
    far = (middle[:, None] ** 2 + middle**2).sqrt()  # of a pixel from the centre
    return (side / 2 - far + 0.5).clamp(0, 1)[None]
