"""Mirror images."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.transforms.transform import Transform


class RandomFlip(Transform):
    """Mirrors every other image, left to right."""

    def forward(self, images: Tensor) -> Tensor:
        """Mirror ``images`` (n * views, 3, h, w), each or not."""
        views = len(images) // len(self.streams)
        mirrored = self.streams.uniform(0, 1, views).flatten().to(images) < 0.5
        return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(3), images)
