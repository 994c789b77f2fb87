"""Mosaics: small pictures of several sizes, edge to edge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from genviz.files import atomic_write

_GAP, _LINE, _MARGIN = 2, 17, 8  # pixels
_LEAST = 32  # pixels; smaller pictures are enlarged
_WIDTH = 1200  # pixels, at most, unless a single picture is wider


def write_mosaic(path: Path, rows: Sequence[tuple[str, Sequence[Tensor]]]) -> None:
    """Write the pictures of each row edge to edge, under the row's name and their size, as a PNG; atomically.

    Those of fewer than 32 pixels are enlarged by a whole number, each pixel a square. A row of more than 1,200 pixels
    goes on below.

    Args:
        rows: a name, and pictures of one size, RGB bytes (h, w, 3).

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    drawn = [_row(name, pictures) for name, pictures in rows]
    width = max(row.width for row in drawn) + 2 * _MARGIN
    mosaic = Image.new("RGB", (width, sum(row.height + _MARGIN for row in drawn) + _MARGIN), "white")
    top = _MARGIN
    for row in drawn:
        mosaic.paste(row, (_MARGIN, top))
        top += row.height + _MARGIN
    with atomic_write(path) as file:
        mosaic.save(file, format="PNG", optimize=True)


def _row(name: str, pictures: Sequence[Tensor]) -> Image.Image:
    rows, columns = pictures[0].shape[:2]
    factor = max(1, -(-_LEAST // min(rows, columns)))
    side, height = columns * factor + _GAP, rows * factor + _GAP
    across = min(len(pictures), max(1, (_WIDTH + _GAP) // side))
    text = f"{name}, {rows} x {columns} pixels" + (f", {factor} times" if factor > 1 else "")
    font = ImageFont.load_default(size=12)
    width = max(side * across - _GAP, round(font.getlength(text)) + 1)
    row = Image.new("RGB", (width, _LINE + height * -(-len(pictures) // across) - _GAP), "white")
    ImageDraw.Draw(row).text((0, 0), text, "black", font)
    for number, picture in enumerate(pictures):
        tile = Image.fromarray(picture.numpy()).resize((side - _GAP, height - _GAP), Image.Resampling.NEAREST)
        row.paste(tile, (number % across * side, _LINE + number // across * height))
    return row
