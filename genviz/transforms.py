"""What happens to an image on its way to the classifier: small moves that a real object would survive."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RandomCrop(nn.Module):
    """Cuts what is ``margin`` smaller both ways from a random place: Mahendran & Vedaldi's (2016) jitter, T - 1."""

    def __init__(self, *, margin: int) -> None:
        super().__init__()
        if not isinstance(margin, int) or margin < 0:
            raise ValueError("margin is a whole number of pixels, 0 or more")
        self.margin = margin

    def forward(self, images: Tensor) -> Tensor:
        """Cut from ``images`` (n, 3, h, w), each at its own place, (n, 3, h - margin, w - margin)."""
        rows, columns = images.shape[2] - self.margin, images.shape[3] - self.margin
        places = torch.randint(self.margin + 1, (len(images), 2)).tolist()
        cut = [image[:, y : y + rows, x : x + columns] for image, (y, x) in zip(images, places, strict=True)]
        return torch.stack(cut)


class RandomRoll(nn.Module):
    """Shifts by up to ``pixels`` either way, what leaves on one side entering on the other: DeepDream's jitter."""

    def __init__(self, *, pixels: int) -> None:
        super().__init__()
        if not isinstance(pixels, int) or pixels < 0:
            raise ValueError("pixels is a whole number, 0 or more")
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        """Shift ``images`` (n, 3, h, w), each its own way."""
        shifts = torch.randint(-self.pixels, self.pixels + 1, (len(images), 2)).tolist()
        return torch.stack([image.roll(shift, (1, 2)) for image, shift in zip(images, shifts, strict=True)])


class RandomViews(nn.Module):
    """Several views of each image, each rotated, scaled and shifted at random; what leaves the frame is mirrored in.

    Args:
        views: how many of each image.
        rotate: largest angle either way, in degrees.
        scale: smallest and largest size of the content, 1 as it is; drawn uniformly in the logarithm.
        shift: largest shift either way, as a share of the side.
    """

    def __init__(
        self, *, views: int = 1, rotate: float = 0.0, scale: tuple[float, float] = (1.0, 1.0), shift: float = 0.0
    ) -> None:
        super().__init__()
        if not (isinstance(views, int) and views > 0 and len(scale) == 2 and 0 < scale[0] <= scale[1]):
            raise ValueError("views is a whole number from 1 up, scale two sizes above 0, the smaller one first")
        if rotate < 0 or shift < 0:
            raise ValueError("rotate and shift are the largest either way, not below 0")
        self.views, self.rotate, self.shift = views, math.radians(rotate), float(shift)
        self.log_scale = (math.log(scale[0]), math.log(scale[1]))

    def forward(self, images: Tensor) -> Tensor:
        """Turn ``images`` (n, 3, h, w) into (n * views, 3, h, w), the views of an image side by side."""
        images = images.repeat_interleave(self.views, 0)
        count = len(images)
        angle = torch.empty(count).uniform_(-self.rotate, self.rotate)
        zoom = torch.empty(count).uniform_(*self.log_scale).exp()
        shift = torch.empty(count, 2, 1).uniform_(-2 * self.shift, 2 * self.shift)  # the side is 2 long: -1 to 1
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
        motion = torch.cat([turn / zoom[:, None, None], shift], 2).to(images)  # (count, 2, 3), output to input
        grid = F.affine_grid(motion, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
