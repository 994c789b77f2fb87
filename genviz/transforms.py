"""What happens to an image on its way to the classifier: small moves that a real object would survive."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.randomness import Streams

_GREY = 0.45  # about the mean of natural images


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

    def __init__(self, *, margin: int | None, until: int | None = None) -> None:
        super().__init__()
        if margin is None:
            raise UserError("transform=jitter cuts from a canvas, generator=pixels with a margin; others take roll")
        if not isinstance(margin, int) or margin < 0:
            raise UserError("transform: margin is a whole number of pixels, 0 or more")
        if until is not None and (not isinstance(until, int) or until < 0):
            raise UserError("transform: until is a whole number of updates, or null")
        self.margin, self.until = margin, until

    def forward(self, images: Tensor) -> Tensor:
        """Cut from ``images`` (n, 3, h, w), each at its own place, (n, 3, h - margin, w - margin)."""
        rows, columns = images.shape[2] - self.margin, images.shape[3] - self.margin
        if rows < 1 or columns < 1:
            raise UserError(f"transform: a margin of {self.margin} leaves nothing of {tuple(images.shape[2:])} pixels")
        if self.until is not None and self.update >= self.until:
            first = self.margin // 2
            return images[..., first : first + rows, first : first + columns]
        views = len(images) // len(self.streams)
        places = self.streams.whole(0, self.margin + 1, views, 2).flatten(0, 1).tolist()
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
        views = len(images) // len(self.streams)
        shifts = self.streams.whole(-self.pixels, self.pixels + 1, views, 2).flatten(0, 1).tolist()
        return torch.stack([image.roll(shift, (1, 2)) for image, shift in zip(images, shifts, strict=True)])


class Pad(Transform):
    """A frame around each image, so that what moves after it has something to move into (Olah et al. 2017, lucid).

    Args:
        pixels: its width.
        mode: ``reflect``: the image mirrored; ``replicate``: its last pixel; ``constant``: grey, 0.5.
    """

    def __init__(self, *, pixels: int, mode: str = "reflect") -> None:
        super().__init__()
        if not isinstance(pixels, int) or pixels < 0 or mode not in ("reflect", "replicate", "constant"):
            raise UserError(f"transform: {pixels} is a whole number of pixels, {mode} reflect, replicate or constant")
        self.pixels, self.mode = pixels, mode

    def forward(self, images: Tensor) -> Tensor:
        """Frame ``images`` (n, 3, h, w), (n, 3, h + 2 pixels, w + 2 pixels)."""
        if self.mode == "reflect" and self.pixels >= min(images.shape[2:]):
            raise UserError(f"transform: a frame of {self.pixels} pixels mirrors no {tuple(images.shape[2:])} pixels")
        return F.pad(images, (self.pixels,) * 4, self.mode, 0.5 if self.mode == "constant" else None)


class RandomFlip(Transform):
    """Mirrors every other image, left to right."""

    def forward(self, images: Tensor) -> Tensor:
        """Mirror ``images`` (n * views, 3, h, w), each or not."""
        views = len(images) // len(self.streams)
        mirrored = self.streams.uniform(0, 1, views).flatten().to(images) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)


class RandomColours(Transform):
    """Another light on each image: contrast, brightness, and a tint; the numbers are standard deviations.

    Args:
        contrast: of the logarithm of the contrast around middle grey; of the brightness half of it, of 1.
        tint: of what each channel is brighter or darker by, of 1.
    """

    def __init__(self, *, contrast: float = 0.0, tint: float = 0.0) -> None:
        super().__init__()
        if contrast < 0 or tint < 0:
            raise UserError("transform: contrast and tint are standard deviations, 0 or more")
        self.contrast, self.tint = float(contrast), float(tint)

    def forward(self, images: Tensor) -> Tensor:
        """Change ``images`` (n * views, 3, h, w), each by itself; they may leave [0, 1]."""
        views = len(images) // len(self.streams)
        drawn = self.streams.normal(views, 5, 1, 1).flatten(0, 1).to(images)  # contrast, brightness, red, green, blue
        factor, brightness = (self.contrast * drawn[:, :1]).exp(), self.contrast / 2 * drawn[:, 1:2]
        return (images - _GREY) * factor + _GREY + brightness + self.tint * drawn[:, 2:]


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


class RandomBoxes(Transform):
    """Square boxes of each image, smaller and smaller, each enlarged to what the classifier sees (Fel et al. 2023).

    As in its published code (xplique), a box's centre is N(1/2, 0.15) and its side N(s, 0.05), kept from 0.05 to 1,
    as shares of the image's sides; s goes evenly from the first share to the last. Beyond the image is middle grey.

    Args:
        boxes: of each image in each update.
        size: rows and columns that each is resized to, bilinearly; None for those of the image.
        shares: s at the first update and at the last.
        updates: from the first to the last.
    """

    def __init__(self, *, boxes: int, size: tuple[int, int] | None, shares: tuple[float, float], updates: int) -> None:
        super().__init__()
        if not isinstance(boxes, int) or boxes < 1 or not isinstance(updates, int) or updates < 1:
            raise UserError(f"transform: boxes={boxes} and updates={updates} are whole numbers from 1 up")
        if size is not None and not (len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size)):
            raise UserError(f"transform: size={size} of a box is rows and columns, [224,224], or null as the image")
        if len(shares) != 2 or not all(0 < share <= 1 for share in shares):
            raise UserError("transform: shares are a box's side at the first update and at the last, above 0, up to 1")
        self.boxes, self.size, self.shares, self.updates = boxes, size and tuple(size), tuple(shares), updates

    def forward(self, images: Tensor) -> Tensor:
        """Cut ``images`` (n, 3, h, w) into (n * boxes, 3, *size), the boxes of an image side by side."""
        count = len(images)
        rows, columns = self.size or images.shape[2:]
        first, last = self.shares
        share = first + (last - first) * min(1.0, self.update / max(1, self.updates - 1))
        centres = 0.3 * self.streams.normal(self.boxes, 2, 1).flatten(0, 1)  # of an image that goes from -1 to 1
        sides = (share + 0.05 * self.streams.normal(self.boxes).flatten()).clamp(0.05, 1)
        motion = torch.cat([sides[:, None, None] * torch.eye(2), centres], 2).to(images)  # (n * boxes, 2, 3)
        grid = F.affine_grid(motion, [len(motion), 3, rows, columns], align_corners=True)
        grid = grid.unflatten(0, (count, self.boxes)).flatten(1, 2)  # (n, boxes * rows, columns, 2)
        seen = 0.5 + F.grid_sample(images - 0.5, grid, align_corners=True)  # zeros beyond
        return seen.unflatten(2, (self.boxes, rows)).transpose(1, 2).flatten(0, 1)


class RandomNoise(Transform):
    """Adds N(0, deviation) and, evenly, up to half the deviation either way to each number, as MACO does.

    Args:
        deviation: in units of RGB in [0, 1].
    """

    def __init__(self, *, deviation: float) -> None:
        super().__init__()
        if not deviation >= 0:
            raise UserError(f"transform: deviation={deviation} of the noise is 0 or more")
        self.deviation = float(deviation)

    def forward(self, images: Tensor) -> Tensor:
        """Change ``images`` (n * views, 3, h, w); they may leave [0, 1]."""
        shape = (len(images) // len(self.streams), *images.shape[1:])
        drawn = self.streams.normal(*shape) + self.streams.uniform(-0.5, 0.5, *shape)
        return images + self.deviation * drawn.flatten(0, 1).to(images)
