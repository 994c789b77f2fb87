"""Random rotations, shifts, zooms and reflections of whole batches, with the nearest pixel where a picture ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError


class Augmentation(NamedTuple):
    """How far pictures are changed at random, as Keras' ImageDataGenerator changes them; each range is even."""

    rotation: float = 0.0
    """Largest angle either way, in degrees."""

    shift: float = 0.0
    """Largest shift either way, down and across, as a share of the side."""

    zoom: float = 0.0
    """Largest change of the size either way, as a share."""

    flip: bool = False
    """Whether half of the pictures are mirrored."""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> tuple[Augmentation, Augmentation]:
        """Those of the training pictures and of the validation pictures, by settings with ``of`` beside these fields.

        Raises:
            UserError: a range is not possible.
        """
        changed, part = cls(**{name: settings[name] for name in cls._fields}), settings["of"]
        changed.check()
        return cls() if part == "validation" else changed, cls() if part == "training" else changed

    def check(self) -> None:
        """Check the ranges.

        Raises:
            UserError: one is not possible.
        """
        for name, value, most in (("rotation", self.rotation, 180), ("shift", self.shift, 1), ("zoom", self.zoom, 0.9)):
            if not isinstance(value, int | float) or not 0 <= value <= most:
                raise UserError(f"augmentation.{name}={value} must be a number from 0 to {most}")

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Change each of ``images`` (n, 3, h, w), floating, by bilinear interpolation.

        Args:
            generator: of the draws, on the CPU; None: torch's own.
        """
        if not any(self):
            return images
        count, rows, columns = len(images), images.shape[2], images.shape[3]

        def even() -> Tensor:
            return 2 * torch.rand(count, generator=generator) - 1

        angle, down, across, size = (even() for _ in range(4))
        angle, scale = angle * math.radians(self.rotation), 1 / (1 + self.zoom * size)
        mirror = torch.ones(count)
        if self.flip:
            mirror -= 2 * (torch.rand(count, generator=generator) < 0.5).float()
        cosine, sine = scale * angle.cos(), scale * angle.sin()
        ratio = rows / columns  # affine_grid counts in halves of each side
        where = torch.stack(
            [
                torch.stack([mirror * cosine, -sine * ratio, 2 * self.shift * across], 1),
                torch.stack([mirror * sine / ratio, cosine, 2 * self.shift * down], 1),
            ],
            1,
        ).to(images)
        grid = F.affine_grid(where, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
