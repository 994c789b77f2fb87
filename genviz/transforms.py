"""What happens to an image on its way to the classifier: small moves that a real object would survive."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.randomness import Streams


class Transform(nn.Module):
    """A random change of images, of each by numbers of its own stream."""

    streams: Streams = Streams()
    """One for each image; the training sets it where there are several."""

    update: int = 0
    """How many updates have been made; the training sets it."""


class RandomCrop(Transform):
    """Cuts what is ``margin`` smaller both ways from a random place: Mahendran & Vedaldi's (2016) jitter.

    Args:
        margin: T - 1, in pixels.
        until: the update from which on the middle is cut, as in their code's second stage; None for never.
    """

    def __init__(self, *, margin: int, until: int | None = None) -> None:
        super().__init__()
        if not isinstance(margin, int) or margin < 0:
            raise UserError("transform: margin is a whole number of pixels, 0 or more")
        if until is not None and (not isinstance(until, int) or until < 0):
            raise UserError("transform: until is a whole number of updates, or null")
        self.margin, self.until = margin, until

    def forward(self, images: Tensor) -> Tensor:
        """Cut from ``images`` (n, 3, h, w), each at its own place, (n, 3, h - margin, w - margin)."""
        rows, columns = images.shape[2] - self.margin, images.shape[3] - self.margin
        if self.until is not None and self.update >= self.until:
            first = self.margin // 2
            return images[..., first : first + rows, first : first + columns]
        places = self.streams.whole(0, self.margin + 1, 2).tolist()
        cut = [image[:, y : y + rows, x : x + columns] for image, (y, x) in zip(images, places, strict=True)]
        return torch.stack(cut)


class RandomRoll(Transform):
    """Shifts by up to ``pixels`` either way, what leaves on one side entering on the other: DeepDream's jitter."""

    def __init__(self, *, pixels: int) -> None:
        super().__init__()
        if not isinstance(pixels, int) or pixels < 0:
            raise UserError("transform: pixels is a whole number, 0 or more")
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        """Shift ``images`` (n, 3, h, w), each its own way."""
        shifts = self.streams.whole(-self.pixels, self.pixels + 1, 2).tolist()
        return torch.stack([image.roll(shift, (1, 2)) for image, shift in zip(images, shifts, strict=True)])


class RandomViews(Transform):
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
            raise UserError(
                "transform: views is a whole number from 1 up, scale two sizes above 0, the smaller one first"
            )
        if rotate < 0 or shift < 0:
            raise UserError("transform: rotate and shift are the largest either way, not below 0")
        self.views, self.rotate, self.shift = views, math.radians(rotate), float(shift)
        self.log_scale = (math.log(scale[0]), math.log(scale[1]))

    def forward(self, images: Tensor) -> Tensor:
        """Turn ``images`` (n, 3, h, w) into (n * views, 3, h, w), the views of an image side by side."""
        images = images.repeat_interleave(self.views, 0)
        count = len(images)
        angle = self.streams.uniform(-self.rotate, self.rotate, self.views).flatten()
        zoom = self.streams.uniform(*self.log_scale, self.views).flatten().exp()
        reach = 2 * self.shift  # the side is 2 long: -1 to 1
        shift = self.streams.uniform(-reach, reach, self.views, 2, 1).flatten(0, 1)
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(count, 2, 2)
        motion = torch.cat([turn / zoom[:, None, None], shift], 2).to(images)  # (count, 2, 3), output to input
        grid = F.affine_grid(motion, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
