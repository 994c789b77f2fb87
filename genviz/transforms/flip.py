"""Random mirroring."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.transforms.transform import Transform


class RandomFlip(Transform):
    """Mirrors each image left to right with probability 1/2."""

    def forward(self, images: Tensor) -> Tensor:
        """Mirror some of ``images`` (n * views, 3, h, w)."""
        views = len(images) // len(self.streams)
        mirrored = self.streams.uniform(0, 1, views).flatten().to(images) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
