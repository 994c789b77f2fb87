"""Circular shifts."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform

_MOST = 100_000  # pixels


class RandomRoll(Transform):
    """Shifts circularly by up to ``pixels`` either way: DeepDream's jitter."""

    def __init__(self, *, pixels: int) -> None:
        super().__init__()
        if not isinstance(pixels, int) or not 0 <= pixels <= _MOST:
            raise UserError(f"transform: pixels={pixels} must be a whole number from 0 to {_MOST}")
        self.pixels = pixels

    def forward(self, images: Tensor) -> Tensor:
        """Shift ``images`` (n, 3, h, w), each by its own amount."""
        views = len(images) // len(self.streams)
        shifts = self.streams.whole(-self.pixels, self.pixels + 1, views, 2)
        return self.moved(images, shifts, lambda some, down, right: some.roll((down, right), (-2, -1)))
