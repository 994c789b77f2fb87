"""Bilinear pooling into cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genviz.representations.window import Window


class Cells(nn.Module):
    """Sums over triangular windows twice as wide as a cell: each pixel is shared out among the nearest four cells.

    A window is a product of one across and one down, and so the pooling is two matrix products.

    Args:
        channels: of the input.
        size: side of a cell, in pixels.
        spacing: between the centres of cells, in pixels.
        first: the centre of the first; 0 is the centre of the first pixel.
        repeat: repeat the outermost pixels beyond the border; False: there is nothing.
    """

    def __init__(self, channels: int, size: int, *, spacing: int, first: float, repeat: bool) -> None:
        super().__init__()
        self.out_channels = channels
        self.size, self.spacing, self.first, self.repeat = size, spacing, first, repeat
        self.window = Window(2 * size - (first % 1 == 0), spacing, first)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pool ``pixels`` (n, c, h, w) into (n, c, rows, columns): the cells whose centres are within the image."""
        down, across = (self._windows(side, pixels) for side in pixels.shape[2:])
        return down @ (pixels @ across.T)

    def _windows(self, side: int, like: Tensor) -> Tensor:
        """Each cell's window along a ``side`` of so many pixels, (cells, side)."""
        count = int((side - 0.5 - self.first) // self.spacing) + 1
        centres = self.first + self.spacing * torch.arange(count, dtype=like.dtype, device=like.device)
        places = torch.arange(-self.size, side + self.size, dtype=like.dtype, device=like.device)
        windows = (1 - (places - centres[:, None]).abs() / self.size).clamp_min(0)
        before, within, after = windows.split([self.size, side, self.size], 1)
        if self.repeat:
            within[:, 0] += before.sum(1)
            within[:, -1] += after.sum(1)
        return within
