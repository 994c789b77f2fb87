"""Sheets of pictures, each under its name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin
from tqdm.auto import tqdm

import genviz
from genviz.errors import UserError
from genviz.files import atomic_write, check_file
from genviz.images.pictures import UNREADABLE

_MARGIN, _LINE = 8, 17
_JPEG = (".jpg", ".jpeg")
_ACROSS = 10
"""Pictures per row of a contact sheet, and rows."""
_STATE = "genviz contact sheet"
"""The metadata key of a contact sheet for the state of its pictures."""


def write_sheet(path: Path, rows: Sequence[Sequence[tuple[str, Path]]], side: int = 128, least: int = 1) -> None:
    """Write the pictures of each row side by side, at most ``side`` pixels high, each under its name; atomically.

    Those less than half of ``least`` pixels high are enlarged by a whole factor. The file's suffix sets its format,
    ``.png``, ``.jpg`` or ``.jpeg``.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    sizes = [[_scaled(picture, side, least) for _, picture in row] for row in rows]
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
                how = Image.Resampling.NEAREST if size[1] > opened.height else Image.Resampling.LANCZOS
                sheet.paste(opened.convert("RGB").resize(size, how), (left, top + _LINE))
            left += size[0] + _MARGIN
        top += height
    with atomic_write(path) as file:
        if path.suffix.lower() in _JPEG:
            sheet.save(file, format="JPEG", quality=85, optimize=True)
        else:
            sheet.save(file, format="PNG")


def check_suffix(path: Path) -> None:
    """Check that a sheet can be written under this name.

    Raises:
        UserError: it ends in another suffix.
    """
    if path.suffix.lower() not in (".png", *_JPEG):
        raise UserError(f"{path}: the name must end in .png, .jpg or .jpeg")


class Cell(NamedTuple):
    """A picture on a contact sheet and the two lines above it."""

    name: str
    remark: str
    colour: str
    """Of the remark, in Pillow's names."""
    picture: Path


def write_contact_sheets(folder: Path, title: str, cells: Sequence[Cell], side: int = 128) -> list[Path]:
    """Write ``sheet-1.png``, ``sheet-2.png``, … with a hundred pictures each, ten by ten; return their paths.

    A sheet whose pictures and text have not changed is left as it is; one without pictures any more is deleted. A
    picture that cannot be decoded leaves its place empty.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    hundred = _ACROSS * _ACROSS
    pages = [cells[first : first + hundred] for first in range(0, len(cells), hundred)]
    paths = [folder / f"sheet-{number}.png" for number in range(1, len(pages) + 1)]
    both = list(zip(paths, pages, strict=True))
    for number, (path, page) in enumerate(tqdm(both, "sheets", unit="sheet", delay=2, leave=False, dynamic_ncols=True)):
        first = number * hundred + 1
        heading = f"{title}   {first:,} to {first + len(page) - 1:,} of {len(cells):,}"
        if _state_in(path) != (state := _state(heading, page, side)):
            _write_contact_sheet(path, heading, page, side, state)
    for path in folder.glob("sheet-*.png"):
        if path not in paths and _state_in(path) is not None:
            path.unlink()
    return paths


def _write_contact_sheet(path: Path, heading: str, cells: Sequence[Cell], side: int, state: str) -> None:
    across, down = min(_ACROSS, len(cells)), -(-len(cells) // _ACROSS)
    place = side + _MARGIN, side + 2 * _LINE + _MARGIN
    sheet = Image.new("RGB", (across * place[0] + _MARGIN, down * place[1] + _LINE + 2 * _MARGIN), "white")
    pen, fonts = ImageDraw.Draw(sheet), [ImageFont.load_default(size=size) for size in (12, 11, 10, 9)]

    def write(text: str, left: int, top: int, colour: str, width: int) -> None:
        text = text[:width]  # a character is at least a pixel wide
        font = next((font for font in fonts if pen.textlength(text, font) <= width), fonts[-1])
        fitting = _fitting(text, lambda part: pen.textlength(part, font), width)
        pen.text((left, top + _LINE - 3), fitting, colour, font, anchor="ls")

    write(heading, _MARGIN, _MARGIN, "black", sheet.width - 2 * _MARGIN)
    for number, (name, remark, colour, picture) in enumerate(cells):
        left = _MARGIN + number % _ACROSS * place[0]
        top = 2 * _MARGIN + _LINE + number // _ACROSS * place[1]
        write(name, left, top, "black", side)
        write(remark, left, top + _LINE, colour, side)
        try:
            with Image.open(check_file(picture)) as opened:
                shown = opened.convert("RGB")
        except UNREADABLE:
            shown = Image.new("RGB", (side, side), "#eee")
        shown.thumbnail((side, side), Image.Resampling.LANCZOS)
        sheet.paste(shown, (left, top + 2 * _LINE))
    metadata = PngImagePlugin.PngInfo()
    metadata.add_text(_STATE, state)
    with atomic_write(path, durable=False) as file:
        sheet.save(file, format="PNG", pnginfo=metadata, compress_level=4)


def _state(heading: str, cells: Sequence[Cell], side: int) -> str:
    """A digest of what a contact sheet is made from, 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{genviz.__version__} {heading} {side}".encode("utf-8", "replace"))
    for cell in cells:
        try:
            status = cell.picture.stat()
            known = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            known = "missing"
        digest.update(repr((*cell[:3], *cell.picture.parts[-2:], known)).encode())
    return digest.hexdigest()


def _state_in(path: Path) -> str | None:
    """The state recorded in a contact sheet; None for any other or missing file."""
    try:
        with Image.open(check_file(path)) as sheet:
            return sheet.info.get(_STATE)
    except UNREADABLE:
        return None


def _scaled(picture: Path, side: int, least: int = 1) -> tuple[int, int]:
    """Columns and rows of a picture scaled to at most ``side`` rows, whatever its width (a strip of several)."""
    with Image.open(picture) as opened:
        scale = min(max(1, least // opened.height), side / opened.height)
        return max(1, round(scale * opened.width)), max(1, round(scale * opened.height))


def _fitting(name: str, length: Callable[[str], float], width: int) -> str:
    """A name, cut to fit ``width`` pixels."""
    if length(name) <= width:
        return name
    while len(name) > 1 and length(name + "…") > width:
        name = name[:-1]
    return name + "…"
