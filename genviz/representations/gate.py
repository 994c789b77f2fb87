"""The one layer of HOG and SIFT that is not standard: each pixel's gradient, sorted by its direction."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.representations.window import POINT

_FLOOR = 1e-4
"""Of the gradient's norm, in grey levels per pixel: what is shorter counts as 0 and passes no derivative."""

_TIE = 1e-5
"""By how much of a bin two directions are still equally near, as 80 and 100 degrees are to a vertical gradient."""

Assignment = Literal["hard", "bilinear", "cubic"]


class Gate(nn.Module):
    """The gradient's norm, gated by its direction (Mahendran & Vedaldi 2016, section 4.1).

    Channel k is h_k = ||g|| w_k, with u_k = (cos 2 pi k / K, sin 2 pi k / K), across and down:

    - ``hard``: w_k is 1 for the nearest direction, of two equally near the one before, and 0 for the others.
    - ``bilinear``: w_k = max(0, 1 - K / (2 pi) angle(g, u_k)), which is above 0 for the two nearest.
    - ``cubic``: the same, the arctangent being VLFeat's, a polynomial, which is up to 0.6 degrees off.

    Args:
        orientations: K, an even number.
        assignment: one of these.
    """

    def __init__(self, orientations: int, assignment: Assignment) -> None:
        super().__init__()
        self.out_channels, self.assignment, self.window = orientations, assignment, POINT

    def forward(self, gradient: Tensor) -> Tensor:
        """Sort a ``gradient`` (n, 2, h, w) into (n, K, h, w)."""
        squares = gradient.square().sum(1, keepdim=True)
        flat = squares < _FLOOR**2
        norm = squares.clamp_min(_FLOOR**2).sqrt().masked_fill(flat, 0)
        empty = norm.new_zeros(len(norm), self.out_channels, *norm.shape[2:])
        across, down = gradient.masked_fill(flat, 1).split(1, 1)  # the angle of 0 has no derivative
        angle = _cubic_atan2(down, across) if self.assignment == "cubic" else torch.atan2(down, across)
        place = angle * (self.out_channels / (2 * math.pi))
        if self.assignment == "hard":
            nearest = (place.detach() - (0.5 + _TIE)).ceil().long()
            return empty.scatter(1, nearest % self.out_channels, norm)
        below = place.detach().floor()
        share = place - below
        bins = torch.cat([below, below + 1], 1).long() % self.out_channels
        return empty.scatter(1, bins, torch.cat([norm * (1 - share), norm * share], 1))


def _cubic_atan2(y: Tensor, x: Tensor) -> Tensor:
    """VLFeat's vl_fast_atan2."""
    height = y.abs()
    ratio = torch.where(x >= 0, (x - height) / (x.abs() + height), (x + height) / (x.abs() + height))
    angle = torch.where(x >= 0, math.pi / 4, 3 * math.pi / 4) + (0.1821 * ratio.square() - 0.9675) * ratio
    return torch.where(y < 0, -angle, angle)


def whole(name: str, value: int, least: int) -> int:
    """Return the setting ``value``.

    Raises:
        UserError: it is not a whole number, ``least`` or more.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name}={value} must be a whole number, {least} or more")
    return value
