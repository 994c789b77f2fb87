"""Torchvision's operators on boxes, in PyTorch, where its compiled extension does not load.

That is so with PyPI's torchvision beside a CPU build of torch; see `genviz.classifiers.torchvision_guard`. Scores of
detectors without proposals (SSD, RetinaNet, FCOS) need none of them; detections, and a Faster R-CNN's proposals, do.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
import torchvision.ops.boxes
from torch import Tensor
from torchvision.extension import _has_ops


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: the indices of the boxes that are kept, in decreasing order of their scores.

    A box goes if one that is kept, with a higher score, has an intersection over union of more than ``iou_threshold``
    with it.

    Args:
        boxes: (n, 4): left, top, right, bottom.
        scores: (n,).
    """
    left = scores.argsort(descending=True, stable=True)
    kept = []
    while len(left):
        kept.append(left[0])
        overlap = torchvision.ops.boxes.box_iou(boxes[left[:1]], boxes[left[1:]])[0]
        left = left[1:][~(overlap > iou_threshold)]  # a box without area overlaps by what is not a number
    return torch.stack(kept) if kept else left


def roi_align(
    features: Tensor, rois: Tensor, scale: float, rows: int, columns: int, sampling_ratio: int, aligned: bool
) -> Tensor:
    """RoI Align (He et al. 2017): the mean of bilinear samples in each cell of a grid over each box.

    Args:
        features: (n, c, h, w).
        rois: (k, 5): the picture's number, and a box that lies in the picture.
        scale: pixels of the features per pixel of the boxes.
        rows, columns: of the grid.
        sampling_ratio: samples a side in each cell.
        aligned: shift the boxes by half a pixel, as later detectors do.

    Returns:
        (k, c, rows, columns).
    """
    if sampling_ratio < 1:  # as many as there are pixels; none of torchvision's detectors does so
        return _theirs()(features, rois, scale, rows, columns, sampling_ratio, aligned)
    start = rois[:, 1:3] * scale - (0.5 if aligned else 0)  # (k, 2): x, y
    size = (rois[:, 3:] - rois[:, 1:3]) * scale
    size = size if aligned else size.clamp(min=1)
    height, width = features.shape[2:]
    down, across = (
        (torch.arange(cells * sampling_ratio, device=rois.device, dtype=rois.dtype) + 0.5) / (cells * sampling_ratio)
        for cells in (rows, columns)
    )
    y = (start[:, 1:] + size[:, 1:] * down) * 2 / max(height - 1, 1) - 1  # (k, samples), -1 and 1 are the outer pixels
    x = (start[:, :1] + size[:, :1] * across) * 2 / max(width - 1, 1) - 1
    grid = torch.stack(torch.broadcast_tensors(x[:, None, :], y[:, :, None]), 3).to(features.dtype)
    pooled = features.new_zeros(len(rois), features.shape[1], rows, columns)
    for number in range(len(features)):
        own = (rois[:, 0] == number).nonzero()[:, 0]
        if len(own):
            seen = F.grid_sample(
                features[number : number + 1],
                grid[own].flatten(0, 1)[None],
                mode="bilinear",
                padding_mode="border",
                align_corners=True,
            )
            cells = F.avg_pool2d(seen, sampling_ratio)[0].unflatten(1, (len(own), rows))  # (c, boxes, rows, columns)
            pooled = pooled.index_copy(0, own, cells.movedim(1, 0))
    return pooled


def stand_in() -> None:
    """Let torchvision use these operators if it has none of its own."""
    if _has_ops():
        return
    boxes: Any = torchvision.ops.boxes
    boxes.nms = nms
    _theirs()
    _module._roi_align = roi_align


_module: Any = sys.modules["torchvision.ops.roi_align"]  # which the package hides behind the function of that name


@cache
def _theirs() -> Any:
    """Torchvision's own in PyTorch, which it compiles for each shape, as it is slow otherwise."""
    return getattr(_module._roi_align, "__wrapped__", _module._roi_align)
