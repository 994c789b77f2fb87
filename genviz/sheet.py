"""Many pictures on one sheet, each under its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genviz.files import atomic_write

_MARGIN, _LINE = 8, 17


def write_sheet(path: Path, rows: Sequence[Sequence[tuple[str, Path]]], side: int = 128) -> None:
    """Write the pictures of each row side by side, ``side`` pixels high at most, each under its name; atomically.

    The file's suffix says its format, ``.png`` or ``.jpg``.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    sizes = [[_scaled(picture, side) for _, picture in row] for row in rows]
    width = max(sum(columns + _MARGIN for columns, _ in row) for row in sizes) + _MARGIN
    heights = [max(height for _, height in row) + _LINE + _MARGIN for row in sizes]
    sheet = Image.new("RGB", (width, sum(heights) + _MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    top = _MARGIN
    for row, row_sizes, height in zip(rows, sizes, heights, strict=True):
        left = _MARGIN
        for (name, picture), size in zip(row, row_sizes, strict=True):
            pen.text((left, top), _fitting(name, lambda text: pen.textlength(text, font), size[0]), "black", font)
            with Image.open(picture) as opened:
                sheet.paste(opened.convert("RGB").resize(size, Image.Resampling.LANCZOS), (left, top + _LINE))
            left += size[0] + _MARGIN
        top += height
    with atomic_write(path) as file:
        if path.suffix == ".jpg":
            sheet.save(file, format="JPEG", quality=85, optimize=True)
        else:
            sheet.save(file, format="PNG")


def _scaled(picture: Path, side: int) -> tuple[int, int]:
    """Columns and rows of a picture whose rows are ``side`` at most; a strip of several is as wide as it is."""
    with Image.open(picture) as opened:
        scale = min(1.0, side / opened.height)
        return round(scale * opened.width), round(scale * opened.height)


def _fitting(name: str, length: Callable[[str], float], width: int) -> str:
    """As much of a name as is no longer than ``width`` pixels."""
    if length(name) <= width:
        return name
    while len(name) > 1 and length(name + "…") > width:
        name = name[:-1]
    return name + "…"
