"""Square thumbnails, and large pictures that are put together from them."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm.auto import tqdm

from genviz.images.pictures import UNREADABLE, read_picture

_PATIENCE = 2.0  # seconds before a progress bar is shown
_ATLAS = 2048  # pixels
_GREY = 224  # of a picture that is gone
_FRAME, _COLOUR = 3, "#2f5fb3"


def thumbnails(paths: Sequence[Path], side: int) -> np.ndarray:
    """The middle of each picture, ``side`` pixels high and wide: bytes (n, side, side, 3).

    A picture that cannot be decoded is grey.
    """

    def read(path: Path) -> np.ndarray:
        try:
            picture = Image.fromarray(read_picture(path, side).permute(1, 2, 0).numpy())
        except UNREADABLE:
            return np.full((side, side, 3), _GREY, np.uint8)
        own = min(picture.size)
        left, top = (picture.width - own) // 2, (picture.height - own) // 2
        picture = picture.crop((left, top, left + own, top + own))
        return np.asarray(picture if own == side else picture.resize((side, side)))

    found = np.empty((len(paths), side, side, 3), np.uint8)
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        told = tqdm(threads.map(read, paths), "thumbnails", len(paths), delay=_PATIENCE, leave=False)
        for number, picture in enumerate(told):
            found[number] = picture
    return found


def scattered(
    pictures: np.ndarray, places: np.ndarray, side: int, size: tuple[int, int], marked: Mapping[int, str]
) -> Image.Image:
    """The thumbnails ``pictures`` (n, s, s, 3) on white, each in the middle of its place, the later over the earlier.

    Args:
        places: columns and rows of pixels, (n, 2).
        side: of a thumbnail on it, in pixels.
        size: columns and rows of the whole.
        marked: those that have a frame and a name, over all others.
    """
    canvas = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=max(11, side // 4))
    for number in [*(number for number in range(len(pictures)) if number not in marked), *marked]:
        tile = Image.fromarray(pictures[number])
        tile = tile if tile.width == side else tile.resize((side, side), Image.Resampling.LANCZOS)
        left, top = (round(place - side / 2) for place in places[number])
        if number in marked:
            frame = (left - _FRAME, top - _FRAME, left + side + _FRAME - 1, top + side + _FRAME - 1)
            pen.rectangle(frame, fill=_COLOUR)
        canvas.paste(tile, (left, top))
    for number, name in marked.items():
        middle, foot = places[number][0], places[number][1] + side / 2 + _FRAME + 2
        half = pen.textlength(name, font) / 2
        middle = min(max(middle, half + 3), size[0] - half - 3)
        pen.text((middle, foot), name, _COLOUR, font, anchor="ma", stroke_width=3, stroke_fill="white")
    return canvas


def atlases(pictures: np.ndarray) -> tuple[list[str], int]:
    """The thumbnails in a few large squares, row by row, as data URLs, and how many are side by side in each."""
    side = pictures.shape[1]
    across = max(1, _ATLAS // side)
    found = []
    for first in range(0, len(pictures), across * across):
        some = pictures[first : first + across * across]
        down = -(-len(some) // across)
        atlas = np.full((down * across, side, side, 3), _GREY, np.uint8)
        atlas[: len(some)] = some
        pixels = atlas.reshape(down, across, side, side, 3).swapaxes(1, 2).reshape(down * side, across * side, 3)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", quality=80, method=2)
        found.append("data:image/webp;base64," + base64.b64encode(file.getvalue()).decode())
    return found, across
