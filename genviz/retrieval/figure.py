"""Sheets of filters: a row for each, with its patches, what they excite it by, and its generated picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from genviz.files import atomic_write
from genviz.images.pictures import UNREADABLE
from genviz.retrieval.patches import Patches

_CELL, _GAP, _MARGIN, _LINE = 80, 2, 12, 18
_BLOCK = 3 * _CELL + 2 * _GAP
_ROWS = 10  # of a sheet


def write_figures(
    folder: Path, title: str, found: Iterable[Patches], count: int, generated: Sequence[Path | None] | None
) -> list[Path]:
    """Write ``sheet.png``, or ``sheet-1.png``, … with ten filters each; return their paths. Others are deleted.

    Args:
        title: what is said above.
        found: ``count`` filters, of which a sheet's are held at once.
        generated: the picture of each filter, None where there is none; None: without the column.
    """
    pages = -(-count // _ROWS)
    names = ["sheet.png"] if pages == 1 else [f"sheet-{number}.png" for number in range(1, pages + 1)]
    for old in folder.glob("sheet*.png"):
        if old.name not in names:
            old.unlink()
    left = iter(found)
    for number, name in enumerate(names):
        made = None if generated is None else generated[number * _ROWS : (number + 1) * _ROWS]
        sheet = _page(title, list(islice(left, _ROWS)), made)
        with atomic_write(folder / name) as file:
            sheet.save(file, format="PNG")
    return [folder / name for name in names]


def _page(title: str, found: Sequence[Patches], generated: Sequence[Path | None] | None) -> Image.Image:
    columns = ["nine patches", "guided backpropagation", "DeconvNet", *(() if generated is None else ("generated",))]
    width = _MARGIN + len(columns) * (_BLOCK + _MARGIN)
    sheet = Image.new("RGB", (width, 2 * _LINE + _MARGIN + len(found) * (_LINE + _BLOCK + _MARGIN)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    pen.text((_MARGIN, _MARGIN / 2), title, "black", font)
    for at, column in enumerate(columns):
        pen.text((_left(at), _MARGIN / 2 + _LINE), column, "#666", font)
    for number, each in enumerate(found):
        top = 2 * _LINE + _MARGIN + number * (_LINE + _BLOCK + _MARGIN)
        pen.text((_MARGIN, top), _said(each), "black", font)
        top += _LINE
        for at, pictures in enumerate(zip(*((p.pixels, p.guided, p.deconv) for p in each.patches), strict=True)):
            _nine(sheet, pictures, _left(at), top)
        picture = None if generated is None else generated[number]
        if picture is not None and (shown := _opened(picture)) is not None:
            sheet.paste(shown, (_left(3), top))
    return sheet


def _said(each: Patches) -> str:
    name = f"{each.layer.name}, filter {each.filter}"
    if not each.patches:
        return f"{name}: fires in none of the pictures"
    return f"{name}: activations from {_short(each.patches[0].value)} down to {_short(each.patches[-1].value)}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _left(column: int) -> int:
    return _MARGIN + column * (_BLOCK + _MARGIN)


def _nine(sheet: Image.Image, pictures: Sequence[Tensor], left: int, top: int) -> None:
    for at, pixels in enumerate(islice(pictures, 9)):
        place = left + at % 3 * (_CELL + _GAP), top + at // 3 * (_CELL + _GAP)
        sheet.paste(_fitting(Image.fromarray(pixels.numpy()), _CELL), place)


def _fitting(image: Image.Image, side: int) -> Image.Image:
    """An image in the middle of a white square of this ``side``; single pixels stay visible where there are few."""
    few = 2 * max(image.size) <= side
    size = [max(1, round(side * own / max(image.size))) for own in image.size]
    shown = image.resize((size[0], size[1]), Image.Resampling.NEAREST if few else Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), "white")
    square.paste(shown, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _opened(picture: Path) -> Image.Image | None:
    try:
        with Image.open(picture) as opened:
            return _fitting(opened.convert("RGB"), _BLOCK)
    except UNREADABLE:
        return None
