"""A perturbation as whole steps of 1/255, which is what an 8-bit picture can take, and as a PNG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from genviz.errors import UserError
from genviz.images.pictures import UNREADABLE, write_png

ZERO = 128
"""The byte that stands for no change in the PNG."""
LARGEST = 127 / 255
"""No perturbation in such a PNG is larger."""
_ROUNDING = 1e-6  # of 255 xi, a float


def whole_steps(values: Tensor, xi: float, norm: str) -> Tensor:
    """``values`` (3, h, w) in units of [0, 1] as whole steps of 1/255, no larger than ``xi`` in that norm.

    With ``linf``, the nearest, but none past xi. With ``l2``, towards 0, as the nearest could be larger together.
    """
    if norm == "linf":
        most = math.floor(255 * xi + _ROUNDING)
        return (255 * values).round().clamp(-most, most).to(torch.int16)
    most = round(255 * LARGEST)  # that a byte can hold: a single value may be larger than the norm
    return (255 * values).trunc().clamp(-most, most).to(torch.int16)


def added(images: Tensor, steps: Tensor) -> Tensor:
    """Bytes (n, 3, h, w) with ``steps`` (3, h, w) added, clipped: what a PNG of the result holds."""
    return (images.to(torch.int16) + steps).clamp(0, 255).to(torch.uint8)


def write_steps(path: Path, steps: Tensor, text: Mapping[str, str]) -> None:
    """Write ``steps`` (3, h, w), from -128 to 127, as a PNG in which 128 is no change."""
    write_png(path, (steps + ZERO).to(torch.uint8).permute(1, 2, 0), text)


def read_steps(path: Path) -> Tensor:
    """Read what `write_steps` wrote, (3, h, w).

    Raises:
        UserError: the file is missing or not a picture.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
    except UNREADABLE as error:
        raise UserError(f"cannot read the perturbation {path} ({error})") from error
    return torch.from_numpy(pixels).permute(2, 0, 1).to(torch.int16) - ZERO


def amplified(steps: Tensor) -> Tensor:
    """``steps`` (3, h, w) for people: bytes (h, w, 3) around grey, as strong as fits."""
    most = max(1, int(steps.abs().amax()))
    return (ZERO + steps * (127 / most)).round().to(torch.uint8).permute(1, 2, 0)
