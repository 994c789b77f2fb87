"""Rotated, scaled and shifted views."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform, is_pair

_MOST, _TURN = 1000.0, 360.0
"""Of a scale or a shift, and in degrees: beyond, what torch makes of the coordinates is no picture."""


class RandomViews(Transform):
    """Several views of each image, each rotated, scaled and shifted at random; reflection fills the borders.

    Args:
        views: per image.
        rotate: largest angle either way, in degrees.
        scale: smallest and largest scale of the content, drawn log-uniformly; 1 leaves it as it is.
        shift: largest shift either way, as a fraction of the side.
    """

    def __init__(
        self, *, views: int = 1, rotate: float = 0.0, scale: tuple[float, float] = (1.0, 1.0), shift: float = 0.0
    ) -> None:
        super().__init__()
        pair = is_pair(scale) and 1 / _MOST <= scale[0] <= scale[1] <= _MOST
        if not (isinstance(views, int) and views > 0 and pair):
            raise UserError(
                "transform: views must be a whole number, 1 or more, and scale two sizes from 0.001 to 1000, the "
                "smaller one first"
            )
        if not 0 <= rotate <= _TURN or not 0 <= shift <= _MOST:
            raise UserError("transform: rotate and shift are the largest either way: 0 to 360 degrees, and 0 to 1000")
        self.views, self.rotate, self.shift = views, math.radians(rotate), float(shift)
        self.log_scale = (math.log(scale[0]), math.log(scale[1]))

    def forward(self, images: Tensor) -> Tensor:
        """Turn ``images`` (n, 3, h, w) into (n * views, 3, h, w), the views of an image next to each other."""
        views = self.views * (len(images) // len(self.streams))  # of a stream's images, if they are views themselves
        images = images.repeat_interleave(self.views, 0)
        count, _, rows, columns = images.shape
        angle = self.streams.uniform(-self.rotate, self.rotate, views).flatten()
        zoom = self.streams.uniform(*self.log_scale, views).flatten().exp()
        reach = 2 * self.shift  # coordinates go from -1 to 1
        shift = self.streams.uniform(-reach, reach, views, 2, 1).flatten(0, 1)
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([cos, -sin * (rows / columns), sin * (columns / rows), cos], 1).view(count, 2, 2)
        motion = torch.cat([turn / zoom[:, None, None], shift], 2).to(images)  # (count, 2, 3), output to input
        grid = F.affine_grid(motion, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
