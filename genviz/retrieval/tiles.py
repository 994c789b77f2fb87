"""Pages of small pictures, each under a word."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from genviz.files import atomic_write

_MARGIN, _LINE, _WIDTH, _HEIGHT, _NARROWEST = 8, 14, 1600, 2000, 28  # pixels


def signed_grey(values: Tensor) -> Tensor:
    """Values of any sign, (...), as bytes: 0 is grey, the largest absolute value black or white."""
    return (127.5 + 127.5 * values / _largest(values.abs())).round().to(torch.uint8)


def grey(values: Tensor) -> Tensor:
    """Values from 0 up as bytes: 0 is black and the largest white."""
    return (255 * values / _largest(values)).round().to(torch.uint8)


def _largest(values: Tensor) -> Tensor:
    return values.amax().clamp_min(torch.finfo(values.dtype).tiny)


def kernel_tile(weights: Tensor, side: int, *, colours: bool) -> Tensor:
    """A filter's kernels (channels, rows, columns) as bytes (h, w, 3): in colours, or each channel's in a grid.

    In a grid, which has a few large weights among many small ones, the 99th percentile is black or white.

    Args:
        side: of the tile, roughly, in pixels.
    """
    if colours:
        return _enlarged(signed_grey(weights).movedim(0, -1), max(1, side // max(weights.shape[1:])))
    channels, rows, columns = weights.shape
    across = math.ceil(math.sqrt(channels * rows / columns))
    down = math.ceil(channels / across)
    sizes = weights.abs().flatten()
    common = sizes.kthvalue(math.ceil(0.99 * sizes.numel())).values
    shown = signed_grey(weights.clamp(-common, common) if common > 0 else weights)
    scale = max(1, round(side / (across * columns)))
    shown = shown.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    rows, columns = rows * scale, columns * scale
    gap = 0 if max(rows, columns) < 5 else 1
    tile = torch.full((down * (rows + gap) - gap, across * (columns + gap) - gap), 255, dtype=torch.uint8)
    for number in range(channels):
        top, left = number // across * (rows + gap), number % across * (columns + gap)
        tile[top : top + rows, left : left + columns] = shown[number]
    return tile[..., None].expand(-1, -1, 3)


def map_tile(values: Tensor, side: int, *, signed: bool) -> Tensor:
    """A map (rows, columns) as bytes (h, w, 3), roughly of this ``side`` in pixels; 0 is black; ``signed``, grey."""
    shown = signed_grey(values) if signed else grey(values)
    return _enlarged(shown[..., None].expand(-1, -1, 3), max(1, round(side / max(values.shape))))


def _enlarged(pixels: Tensor, scale: int) -> Tensor:
    return pixels.repeat_interleave(scale, 0).repeat_interleave(scale, 1)


def write_pages(
    folder: Path, title: str, count: int, tile: Callable[[int], tuple[str, Tensor]], name: str = "sheet"
) -> list[Path]:
    """Write ``NAME.png``, or ``NAME-1.png``, …; return their paths. Others of that name in ``folder`` are deleted.

    Args:
        title: what is said above.
        count: how many tiles there are.
        tile: returns the word and the bytes (h, w, 3) of one, all of a size.
    """
    high, wide = tile(0)[1].shape[:2]
    wide = max(wide, _NARROWEST)
    across = min(count, max(1, (_WIDTH - _MARGIN) // (wide + _MARGIN)), math.ceil(math.sqrt(count * 1.5)))
    down = max(1, (_HEIGHT - 3 * _MARGIN - _LINE) // (high + _LINE + _MARGIN))
    pages = [range(first, min(first + across * down, count)) for first in range(0, count, across * down)]
    names = [f"{name}.png"] if len(pages) == 1 else [f"{name}-{number}.png" for number in range(1, len(pages) + 1)]
    for old in folder.glob(f"{name}*.png"):
        if old.name not in names:
            old.unlink()
    for file_name, page in zip(names, pages, strict=True):
        sheet = _page(title, [tile(number) for number in page], across, (wide, high))
        with atomic_write(folder / file_name) as file:
            sheet.save(file, format="PNG")
    return [folder / each for each in names]


def _page(title: str, tiles: Sequence[tuple[str, Tensor]], across: int, size: tuple[int, int]) -> Image.Image:
    fonts = [ImageFont.load_default(size=points) for points in (12, 10)]
    wide, high = size
    width = max(_MARGIN + across * (wide + _MARGIN), 2 * _MARGIN + int(fonts[0].getlength(title)) + 1)
    height = 3 * _MARGIN + _LINE + -(-len(tiles) // across) * (_LINE + high + _MARGIN)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, _MARGIN), title, "black", fonts[0])
    for number, (word, pixels) in enumerate(tiles):
        left = _MARGIN + number % across * (wide + _MARGIN)
        top = 2 * _MARGIN + _LINE + number // across * (_LINE + high + _MARGIN)
        while pen.textlength(word, fonts[1]) > wide + _MARGIN and " " in word:
            word = word.rpartition(" ")[0]
        pen.text((left, top), word, "#444", fonts[1])
        sheet.paste(Image.fromarray(pixels.contiguous().numpy()), (left, top + _LINE))
    return sheet
