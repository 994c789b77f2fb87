"""Maps over a picture's pixels, as pictures."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_SIGNED, _POSITIVE = "RdBu_r", "inferno"  # matplotlib's
_PERCENTILE = 99.5
_OPACITY = 0.6
_GAP, _BAR = 4, 10  # pixels


class Scaled(NamedTuple):
    """A map in colours, and what their ends stand for."""

    colours: Tensor
    """RGB in [0, 1], (h, w, 3)."""
    low: float
    high: float
    name: str
    """Of matplotlib's colour map."""


def signed_picture(values: Tensor, percentile: float = _PERCENTILE) -> Tensor:
    """A signed map in colours (3, h, w), as bytes (h, w, 3): 0 is grey, the percentile of the absolute values an end.

    Further values are clipped.
    """
    end = _end(values.abs(), percentile)
    return ((values / (2 * end) + 0.5).clamp(0, 1) * 255).round().byte().movedim(0, -1).contiguous().cpu()


def scaled(values: Tensor, percentile: float = 100.0) -> Scaled:
    """A map (h, w) in colours: from 0 to the percentile; if it is signed, from minus that, with 0 in white."""
    import matplotlib as mpl  # takes a third of a second

    values = values.detach().float().cpu()
    high = _end(values.abs(), percentile)
    signed = bool(values.min() < 0)
    low, name = (-high, _SIGNED) if signed else (0.0, _POSITIVE)
    shares = ((values - low) / (high - low)).clamp(0, 1)
    return Scaled(torch.from_numpy(mpl.colormaps[name](shares.numpy())[..., :3]).float(), low, high, name)


def over(picture: Tensor, shown: Scaled) -> Tensor:
    """A map over the picture (h, w, 3) bytes that it is about, in grey, as bytes (h, w, 3)."""
    grey = (picture.float() / 255).mean(-1, keepdim=True)
    return ((_OPACITY * shown.colours + (1 - _OPACITY) * grey) * 255).round().byte()


def alone(shown: Scaled) -> Tensor:
    """The map as bytes (h, w, 3)."""
    return (shown.colours * 255).round().byte()


def with_bar(picture: Tensor, shown: Scaled) -> Tensor:
    """``picture`` (h, w, 3) bytes with a colour bar at its right, and the numbers that its ends stand for."""
    import matplotlib as mpl

    height, width = picture.shape[:2]
    font = ImageFont.load_default(size=11)
    marks = [(shown.high, 0, "la"), (shown.low, height - 1, "ld")]
    marks += [(0.0, height // 2, "lm")] if shown.low < 0 else []
    labels = [f"{value:.2g}" for value, _, _ in marks]
    room = math.ceil(max(font.getlength(label) for label in labels))
    sheet = Image.new("RGB", (width + 3 * _GAP + _BAR + room, height), "white")
    sheet.paste(Image.fromarray(picture.contiguous().numpy()), (0, 0))
    ramp = mpl.colormaps[shown.name](np.linspace(1, 0, height))[:, None, :3]
    strip = np.repeat((ramp * 255).round().astype(np.uint8), _BAR, 1)
    left = width + _GAP
    sheet.paste(Image.fromarray(strip), (left, 0))
    pen = ImageDraw.Draw(sheet)
    for label, (_, row, anchor) in zip(labels, marks, strict=True):
        pen.text((left + _BAR + _GAP, row), label, "black", font, anchor=anchor)
    return torch.from_numpy(np.array(sheet))


def _end(values: Tensor, percentile: float) -> float:
    """The percentile of values, or where it is 0 the largest; 1 if all are 0."""
    numbers = values.detach().float().flatten().cpu().numpy()
    return float(np.percentile(numbers, percentile)) or float(numbers.max(initial=0.0)) or 1.0
