"""Dense SIFT as a network."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.representations.cells import Cells
from genviz.representations.gate import Gate, whole
from genviz.representations.gradient import Gradient, GreyLevels
from genviz.representations.window import Window

_SIDE = 4  # cells across and down a descriptor
_SIGMA = 2.0  # of the Gaussian window, in cells; VLFeat's default
_CLAMP = 0.2
_EPSILON = 1.19e-7  # VLFeat's, of a descriptor's norm


class DSIFT(nn.Sequential):
    """Dense SIFT with the values of VLFeat's fast option (Mahendran & Vedaldi 2016, section 4.1).

    Maps images (n, 1, h, w) or (n, 3, h, w), in [0, 1] and of any size from 3 ``cell_size`` + 1 pixels, to descriptors
    (n, 16 K, rows, columns) in [0, 1], each of length 1, or 0 where there is no gradient. Channel k + K (x + 4 y) is
    orientation k, at 360 k / K degrees clockwise from pointing right, of the cell in column x and row y of the
    descriptor. The first descriptor's first cell is centred on the first pixel. Its modules: levels, gradient,
    gate, cells, dsift.

    Args:
        cell_size: side of a cell, in pixels.
        orientations: K, over 360 degrees.
        step: between descriptors, in pixels; None for a cell.
        colour: take each pixel's gradient from the channel where it is largest; False: of grey.

    Raises:
        UserError: a setting is no whole number, or, when called, the images are not such images.

    >>> import torch
    >>> from genviz.representations import DSIFT
    >>> DSIFT()(torch.rand(2, 3, 120, 160)).shape
    torch.Size([2, 128, 12, 17])
    """

    def __init__(
        self, *, cell_size: int = 8, orientations: int = 8, step: int | None = None, colour: bool = False
    ) -> None:
        whole("orientations", orientations, 3)
        cell_size = whole("cell_size", cell_size, 2)
        step = cell_size if step is None else whole("step", step, 1)
        spacing = math.gcd(step, cell_size)
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["levels"] = GreyLevels(colour=colour, smallest=(_SIDE - 1) * cell_size + 1)
        parts["gradient"] = Gradient("one-sided")
        parts["gate"] = Gate(orientations, "cubic")
        parts["cells"] = Cells(orientations, cell_size, spacing=spacing, first=0.0, repeat=True)
        parts["dsift"] = Descriptors(orientations, cell_size, apart=cell_size // spacing, step=step // spacing)
        super().__init__(parts)


class Descriptors(nn.Module):
    """Blocks of 4 x 4 cells, weighted by a Gaussian, normalized, clamped at 0.2, and normalized again.

    VLFeat's fast option weights cells, not gradients: each by the mean of a Gaussian along its window.

    Args:
        orientations: of the cells.
        cell_size: side of a cell, in pixels.
        apart: how many places a block's cells are apart.
        step: how many places blocks are apart.
    """

    weights: Tensor

    def __init__(self, orientations: int, cell_size: int, *, apart: int, step: int) -> None:
        super().__init__()
        self.apart, self.step, self.out_channels = apart, step, orientations * _SIDE**2
        self.window = Window((_SIDE - 1) * apart + 1, step, (_SIDE - 1) * apart / 2)
        centres = cell_size * (torch.arange(_SIDE, dtype=torch.float64) - (_SIDE - 1) / 2)
        within = torch.arange(1 - cell_size, cell_size, dtype=torch.float64)
        weights = (-0.5 * ((within - centres[:, None]) / (_SIGMA * cell_size)).square()).exp().mean(1)
        weights = (weights[:, None] * weights).flatten() / cell_size**2
        self.register_buffer("weights", weights.view(1, 1, -1, 1), persistent=False)

    def forward(self, cells: Tensor) -> Tensor:
        """Gather cells (n, K, rows, columns) into descriptors, (n, 16 K, rows, columns)."""
        rows, columns = ((side - 1 - (_SIDE - 1) * self.apart) // self.step + 1 for side in cells.shape[2:])
        blocks = F.unfold(cells, _SIDE, dilation=self.apart, stride=self.step)
        blocks = blocks.unflatten(1, (cells.shape[1], -1)) * self.weights.to(cells.dtype)  # (n, K, 16, places)
        blocks = blocks.transpose(1, 2).flatten(1, 2)
        return _normalized(_normalized(blocks).clamp_max(_CLAMP)).unflatten(2, (rows, columns))


def _normalized(blocks: Tensor) -> Tensor:
    squares = blocks.square().sum(1, keepdim=True)
    empty = squares <= _EPSILON**2  # the norm of 0 has no derivative
    return blocks / (squares.masked_fill(empty, 1).sqrt() + _EPSILON)
