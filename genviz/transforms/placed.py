"""Stickers in real pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError
from genviz.images.decoding import decoded
from genviz.images.folders import distinct, evenly, find_pictures, halves
from genviz.images.shapes import SHAPES, Shape, opacity
from genviz.transforms.transform import Transform, is_pair

Place = Literal["random", "corner", "centre"]
_GREY = 0.45  # about the mean of natural images
_LEAST = 0.001  # of a sticker's side


class Placed(Transform):
    """Paste each image, a sticker, into several pictures: expectation over transformation (Athalye et al. 2018).

    Each view is another picture, drawn at random, with the sticker in it: somewhere in the picture, wholly inside,
    in a random size, turned and in another light, in that of a lamp of its own. Differentiable by the sticker.

    Args:
        pictures: a folder, of whose pictures the first, third, … by name are used and the others held out, copies left
            out; or RGB in [0, 1], (m, 3, h, w), all of which are used.
        size: rows and columns of the views; the pictures of a folder are resized to it. None for those of ``pictures``.
        shape: of an image without an alpha channel; what lies outside of it is transparent.
        views: pictures per image and update.
        area: the sticker's share of the picture.
        sizes: smallest and largest factor of its side, drawn log-uniformly.
        rotate: largest angle either way, in degrees.
        light: standard deviation of the logarithm of its contrast around mid-grey; half of it is that of its
            brightness, in units of [0, 1].
        place: ``random``; ``corner``, the upper left one; ``centre``.
        most: pictures kept, evenly spaced, if the folder has more.

    Raises:
        UserError: a setting cannot work, or there are no pictures.
    """

    def __init__(
        self,
        *,
        pictures: str | Tensor | None,
        size: tuple[int, int] | None = None,
        shape: Shape = "circle",
        views: int = 8,
        area: float = 0.1,
        sizes: tuple[float, float] = (1.0, 1.0),
        rotate: float = 0.0,
        light: float = 0.0,
        place: Place = "random",
        most: int = 2000,
    ) -> None:
        super().__init__()
        if pictures is None:
            raise UserError("say which pictures the sticker is pasted into: pictures=FOLDER")
        own = {} if isinstance(pictures, Tensor) else {"size": size}
        check(
            views=views, area=area, sizes=sizes, rotate=rotate, light=light, place=place, shape=shape, most=most, **own
        )
        self.views, self.rotate, self.light, self.place = views, math.radians(rotate), float(light), place
        self.shape, self.area, self.log_sizes = shape, float(area), (math.log(sizes[0]), math.log(sizes[1]))
        if isinstance(pictures, Tensor):
            self.scenes = (255 * pictures.clamp(0, 1)).round().to(torch.uint8)
        else:
            assert size is not None  # as is checked
            found = halves(distinct(find_pictures(pictures, "pictures").pictures)).training
            self.scenes = decoded(evenly(found, most), (size[0], size[1])).pixels
        check_area(area * sizes[1] ** 2, shape, rotate, (self.scenes.shape[2], self.scenes.shape[3]))
        self._known: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Paste ``images`` (n, 3 or 4, s, s) into (n * views, 3, h, w), the views of an image next to each other."""
        views = self.views * (len(images) // len(self.streams))  # of a stream's images, if they are views themselves
        which = self.streams.uniform(0, len(self.scenes), views).flatten().long().clamp(max=len(self.scenes) - 1)
        if self.scenes.device != images.device:
            self.scenes = self.scenes.to(images.device)
        return self.paste(images, self.scenes[which].to(images) / 255)

    def paste(self, images: Tensor, scenes: Tensor) -> Tensor:
        """Paste ``images`` (n, 3 or 4, s, s) into these pictures (n * views, 3, h, w), each into its own.

        The number of views is that of the pictures, whatever ``views`` says.

        Raises:
            UserError: the images are not square.
        """
        rows, columns = images.shape[2:]
        if rows != columns:
            raise UserError(f"transform=placed pastes squares, not {rows} x {columns} pixels; try generator=patch")
        views = len(scenes) // len(self.streams)
        images = images.repeat_interleave(len(scenes) // len(images), 0)
        alpha = images[:, 3:] if images.shape[1] == 4 else self._opacity(images)
        drawn = self.streams.normal(views, 2, 1, 1).flatten(0, 1).to(images)
        factor, brightness = (self.light * drawn[:, :1]).exp(), self.light / 2 * drawn[:, 1:]
        lit = ((images[:, :3] - _GREY) * factor + _GREY + brightness).clamp(0, 1)
        layer = torch.cat([lit * alpha, alpha.expand(len(lit), -1, -1, -1)], 1)
        motion = self._motion(alpha, views, scenes)
        grid = F.affine_grid(motion, [len(scenes), 4, *scenes.shape[2:]], align_corners=False)
        moved = F.grid_sample(layer, grid, align_corners=False)  # nothing outside
        return moved[:, :3] + (1 - moved[:, 3:]) * scenes

    def _opacity(self, images: Tensor) -> Tensor:
        """That of square images, (1, 1, s, s); it goes to their device once."""
        if self._known is None or self._known.device != images.device or self._known.shape[3] != images.shape[3]:
            self._known = opacity(self.shape, images.shape[3]).to(images.device)[None]
        return self._known.to(images.dtype)

    def _motion(self, alpha: Tensor, views: int, scenes: Tensor) -> Tensor:
        """Where in the sticker each point of a picture is, both from -1 to 1, (n * views, 2, 3)."""
        rows, columns = scenes.shape[2], scenes.shape[3]
        angle = self.streams.uniform(-self.rotate, self.rotate, views).flatten().to(scenes)
        factor = self.streams.uniform(*self.log_sizes, views).flatten().to(scenes).exp()
        spot = self.streams.uniform(-1, 1, views, 2).flatten(0, 1).to(scenes)
        side = factor * (self.area * rows * columns / alpha.mean((1, 2, 3))).sqrt()  # of the sticker, in pixels
        cos, sin = angle.cos(), angle.sin()
        reach = side * (cos.abs() + sin.abs() if self.shape == "square" else torch.ones_like(cos))
        room = (torch.stack([columns - reach, rows - reach], 1) / 2).clamp(min=0)  # of its centre, either way
        centre = room * {"random": spot, "corner": -torch.ones_like(spot), "centre": torch.zeros_like(spot)}[self.place]
        turn = torch.stack([cos, sin, -sin, cos], 1).view(-1, 2, 2) * (2 / side)[:, None, None]  # pixels to sticker
        across, down = turn.unbind(2)
        return torch.stack([across * (columns / 2), down * (rows / 2), -(turn @ centre[:, :, None])[..., 0]], 2)


def check_area(area: float, shape: Shape, rotate: float, size: Sequence[int]) -> None:
    """Check that a sticker of this area fits into pictures of ``size``, rows and columns, however it is turned.

    Raises:
        UserError: it is larger than the picture.
    """
    angle = math.radians(min(rotate, 45.0))
    across = 2 / math.sqrt(math.pi) if shape == "circle" else math.cos(angle) + math.sin(angle)  # sqrt(area) = 1
    largest = (min(size) / across) ** 2 / (size[0] * size[1])
    if area > largest + 1e-9:
        room = math.floor(1000 * largest) / 1000
        raise UserError(
            f"a {shape} of {area:.3g} of the area is larger than a picture of {size[0]} x {size[1]} pixels; "
            f"at its largest size, it may cover at most {room:.3g} of it"
        )


def check(**given: Any) -> None:
    """Check settings that do not depend on the pictures; all of them, ``size`` only if it is given.

    Raises:
        UserError: one cannot work.
    """
    for name in ("views", "most"):
        if type(value := given[name]) is not int or value < 1:
            raise UserError(f"transform: {name}={value} must be a whole number, 1 or more")
    for name, options in (("place", get_args(Place)), ("shape", SHAPES)):
        if given[name] not in options:
            raise UserError(f"transform: {name}={given[name]} is unknown; it takes {', '.join(options)}")
    if not _is_number(area := given["area"]) or not 0 < area <= 1:
        raise UserError(f"transform: area={area} must be a share of the picture, above 0 and at most 1")
    sizes = given["sizes"]
    are_two = isinstance(sizes, Sequence) and len(sizes) == 2 and all(map(_is_number, sizes))
    if not are_two or not _LEAST <= sizes[0] <= sizes[1]:
        why = f"two factors from {_LEAST} up, the smaller first, such as [0.8,1.2]"
        raise UserError(f"transform: sizes={sizes} must be {why}")
    for name in ("rotate", "light"):
        if not _is_number(value := given[name]) or value < 0:
            raise UserError(f"transform: {name}={value} must be a number, 0 or more")
    size = given.get("size", (1, 1))
    if not is_pair(size) or not all(type(side) is int and side > 0 for side in size):
        raise UserError(f"transform: size={size} must be rows and columns, such as [224,224]")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
