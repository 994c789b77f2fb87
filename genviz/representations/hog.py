"""Histograms of oriented gradients as a network."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.representations.cells import Cells
from genviz.representations.gate import Gate, whole
from genviz.representations.gradient import Gradient, GreyLevels
from genviz.representations.window import Window

_CLAMP = 0.2
_EPSILON = 1e-4 / 4  # of the squared norm of a block; VLFeat's, whose gradients are twice as long


class HOG(nn.Sequential):
    """HOG of the UoCTTI kind (Felzenszwalb et al. 2010), with VLFeat's values (Mahendran & Vedaldi 2016, section 4.1).

    Maps images (n, 1, h, w) or (n, 3, h, w), in [0, 1] and of any size, to (n, 3 K, rows, columns) in [0, 0.4],
    K = ``orientations``: 2 K directed gradients, at 180 k / K degrees clockwise from pointing right, towards the light;
    then their K undirected sums. There are h / ``cell_size`` rows, rounded. UoCTTI's four numbers for texture are left
    out, as in the paper. Its modules: levels, gradient, gate, cells, hog.

    Differentiable almost everywhere; a hard assignment passes no derivative by the gradient's direction.

    Args:
        cell_size: side of a cell, in pixels.
        orientations: undirected ones, over 180 degrees.
        bilinear: share each gradient between the two nearest orientations: the paper's HOGb.
        colour: take each pixel's gradient from the channel where it is largest (Dalal & Triggs 2005); False: of grey.

    Raises:
        UserError: a setting is no whole number, or, when called, the images are not such images.

    >>> import torch
    >>> from genviz.representations import HOG
    >>> HOG()(torch.rand(2, 3, 120, 160)).shape
    torch.Size([2, 27, 15, 20])
    """

    def __init__(
        self, *, cell_size: int = 8, orientations: int = 9, bilinear: bool = False, colour: bool = False
    ) -> None:
        directed = 2 * whole("orientations", orientations, 3)
        smallest = max(3, -(-whole("cell_size", cell_size, 2) // 2))
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        parts["levels"] = GreyLevels(colour=colour, smallest=smallest)
        parts["gradient"] = Gradient("zero")
        parts["gate"] = Gate(directed, "bilinear" if bilinear else "hard")
        parts["cells"] = Cells(directed, cell_size, spacing=cell_size, first=(cell_size - 1) / 2, repeat=False)
        parts["hog"] = Blocks(orientations)
        super().__init__(parts)


class Blocks(nn.Module):
    """Normalizes each cell by the four blocks of 2 x 2 cells that it is in, clamps at 0.2, and halves the sum.

    A block's norm is that of its undirected gradients alone. Beyond the border, the outermost cells are repeated.
    """

    def __init__(self, orientations: int) -> None:
        super().__init__()
        self.orientations, self.out_channels, self.window = orientations, 3 * orientations, Window(3, 1, 0.0)

    def forward(self, cells: Tensor) -> Tensor:
        """Map directed gradients (n, 2 K, rows, columns) to directed and undirected ones, (n, 3 K, rows, columns)."""
        towards, away = cells.split(self.orientations, 1)
        undirected = towards + away
        energy = F.pad(undirected.square().sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        factor = (4 * F.avg_pool2d(energy, 2, stride=1) + _EPSILON).rsqrt()
        values = torch.cat([cells, undirected], 1)
        corners = (factor[..., :-1, :-1], factor[..., :-1, 1:], factor[..., 1:, :-1], factor[..., 1:, 1:])
        return torch.stack([(values * corner).clamp_max(_CLAMP) for corner in corners]).sum(0) / 2
