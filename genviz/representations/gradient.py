"""The gradient of images' grey levels."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.representations.window import POINT, Window

_LUMA = (0.298936, 0.587043, 0.114021)  # MATLAB's rgb2gray


class GreyLevels(nn.Module):
    """Images in [0, 1] as grey levels from 0 to 255, the scale on which the floors of HOG and SIFT are meant.

    Args:
        colour: keep the three channels of RGB images.
        smallest: rows and columns that an image must have.
    """

    luma: Tensor

    def __init__(self, *, colour: bool, smallest: int) -> None:
        super().__init__()
        self.colour, self.smallest, self.window = colour, smallest, POINT
        self.register_buffer("luma", 255 * torch.tensor(_LUMA, dtype=torch.float64).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map grey (n, 1, h, w) or RGB images (n, 3, h, w) to (n, 1, h, w), or (n, 3, h, w) with ``colour``.

        Raises:
            UserError: they have another shape, or are too small.
        """
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise UserError(f"images must be grey, (n, 1, h, w), or RGB, (n, 3, h, w), not {tuple(images.shape)}")
        if min(images.shape[2:]) < self.smallest:
            rows, columns = images.shape[2:]
            raise UserError(
                f"a picture of {rows} x {columns} pixels is too small for cells of this size; "
                f"{self.smallest} x {self.smallest} are the least"
            )
        if images.shape[1] == 1 or self.colour:
            return 255 * images
        return (images * self.luma.to(images.dtype)).sum(1, keepdim=True)


class Gradient(nn.Module):
    """Central differences (v[x + 1] - v[x - 1]) / 2, across and down; of several channels, where they are largest.

    Args:
        border: ``zero``: the outermost rows and columns have no gradient, as in VLFeat's HOG; ``one-sided``: they have
            the difference from their neighbours, as in its DSIFT.
    """

    def __init__(self, border: Literal["zero", "one-sided"]) -> None:
        super().__init__()
        self.border, self.out_channels, self.window = border, 2, Window(3, 1, 0.0)

    def forward(self, levels: Tensor) -> Tensor:
        """The gradient (n, 2, h, w), across and down, of ``levels`` (n, c, h, w)."""
        if self.border == "zero":
            across = F.pad(levels[..., 1:-1, 2:] - levels[..., 1:-1, :-2], (1, 1, 1, 1)) / 2
            down = F.pad(levels[..., 2:, 1:-1] - levels[..., :-2, 1:-1], (1, 1, 1, 1)) / 2
        else:
            down, across = torch.gradient(levels, dim=(2, 3))
        if levels.shape[1] > 1:
            largest = (across.square() + down.square()).argmax(1, keepdim=True)
            across, down = across.gather(1, largest), down.gather(1, largest)
        return torch.cat([across, down], 1)
