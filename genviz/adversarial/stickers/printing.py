"""Stickers as files: transparent outside of their shape, and with a size on paper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from genviz.errors import UserError
from genviz.files import atomic_write
from genviz.images.pictures import UNREADABLE, display, read_upright, resize
from genviz.images.shapes import Shape, opacity


def shaped(image: Tensor, shape: Shape, side: int) -> Tensor:
    """An image (1, 3, h, w) as a sticker of ``side`` pixels, RGBA in [0, 1]; of one that is not square, the middle."""
    rows, columns = image.shape[2:]
    least = min(rows, columns)
    top, left = (rows - least) // 2, (columns - least) // 2
    square = resize(image[..., top : top + least, left : left + least], (side, side))
    return torch.cat([square, opacity(shape, side)[None]], 1)


def write_sticker(path: Path, sticker: Tensor, centimetres: float, text: Mapping[str, str]) -> None:
    """Write a sticker, RGBA in [0, 1], (1, 4, s, s), as a PNG that is printed ``centimetres`` wide, atomically.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    metadata = PngImagePlugin.PngInfo()
    for key, value in text.items():
        metadata.add_itxt(key, value)
    per_inch = sticker.shape[3] / (centimetres / 2.54)
    with atomic_write(path) as file:
        Image.fromarray(display(sticker[0]).numpy(), "RGBA").save(
            file, format="PNG", pnginfo=metadata, dpi=(per_inch, per_inch)
        )


def read_sticker(path: Path) -> Tensor:
    """Read a sticker, RGBA in [0, 1], (1, 4, s, s); one without an alpha channel is opaque.

    Raises:
        UserError: the file is missing or not a picture.
    """
    try:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGBA"))
    except UNREADABLE as error:
        raise UserError(f"cannot read the sticker {path} ({error})") from error
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def read_photo(path: str, shape: Shape, side: int) -> Tensor:
    """The middle of a photograph as a sticker of ``side`` pixels.

    Raises:
        UserError: it cannot be read.
    """
    return shaped(read_upright(Path(path).expanduser()), shape, side)


def fitted(sticker: Tensor, area: float, size: tuple[int, int]) -> Tensor:
    """A sticker resized to the side with which it covers ``area`` of a picture of ``size``, rows and columns."""
    alpha = sticker[:, 3:]
    side = max(1, round(float(area * size[0] * size[1] / alpha.mean()) ** 0.5))
    small = resize(torch.cat([sticker[:, :3] * alpha, alpha], 1), (side, side))
    return torch.cat([small[:, :3] / small[:, 3:].clamp_min(1e-6), small[:, 3:]], 1).clamp(0, 1)
