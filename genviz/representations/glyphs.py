"""HOG's own picture: in each cell, a stroke along each edge that it found."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_WIDTH = 1 / 8  # of a cell: to either side of a stroke, where it has faded


def glyphs(undirected: Tensor, side: int = 16) -> Tensor:
    """Draw the undirected orientations of `genviz.representations.HOG`, its last third of channels.

    A stroke lies across its gradient, along the edge, and is as light as the gradient is strong. The strongest of a
    picture is white, and lies above weaker ones.

    Args:
        undirected: (n, K, rows, columns), 0 or more.
        side: of a cell in the drawing, in pixels.

    Returns:
        Grey in [0, 1], (n, 1, ``side`` * rows, ``side`` * columns).
    """
    count = undirected.shape[1]
    angles = torch.arange(count, dtype=undirected.dtype, device=undirected.device).view(-1, 1, 1) * (math.pi / count)
    places = torch.arange(side, dtype=undirected.dtype, device=undirected.device) - (side - 1) / 2
    across, down = places, places[:, None]
    distance = (across * angles.cos() + down * angles.sin()).abs()
    within = (across.square() + down.square()).sqrt() <= side / 2
    strokes = (1 - distance / (_WIDTH * side)).clamp_min(0) * within
    drawn = F.conv_transpose2d(undirected, strokes[:, None], stride=side, groups=count).amax(1, keepdim=True)
    return drawn / drawn.amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(drawn.dtype).tiny)
