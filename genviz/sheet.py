"""Many pictures on one sheet, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genviz.files import atomic_write

_MARGIN, _LINE = 8, 17


def write_sheet(path: Path, rows: Sequence[Sequence[tuple[str, Path]]], side: int = 128) -> None:
    """Write the pictures of each row side by side, ``side`` pixels high at most, each under its name; atomically.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    columns = max(len(row) for row in rows)
    width, height = columns * (side + _MARGIN) + _MARGIN, len(rows) * (side + _LINE + _MARGIN) + _MARGIN
    sheet = Image.new("RGB", (width, height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for y, row in enumerate(rows):
        for x, (name, picture) in enumerate(row):
            left, top = _MARGIN + x * (side + _MARGIN), _MARGIN + y * (side + _LINE + _MARGIN)
            while len(name) > 1 and pen.textlength(name, font) > side + _MARGIN - 2:
                name = name[:-2] + "…"
            pen.text((left, top), name, "black", font)
            with Image.open(picture) as opened:
                opened.thumbnail((side, side), Image.Resampling.LANCZOS)
                sheet.paste(opened.convert("RGB"), (left, top + _LINE))
    with atomic_write(path) as file:
        sheet.save(file, format=path.suffix.lstrip(".").upper() or "PNG", optimize=True)
