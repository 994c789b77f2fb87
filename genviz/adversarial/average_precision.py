"""Average precision: how well a detector's boxes are those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_iou

from genviz.classifiers.frozen_detector import Detections

_RECALLS = 101  # COCO's: 0, 0.01, ..., 1


class Truth(NamedTuple):
    """What is in a picture."""

    boxes: Tensor
    """(k, 4): left, top, right, bottom, in pixels."""

    labels: Tensor
    """(k,): the classes' numbers."""


def average_precision(found: Sequence[Detections], truth: Sequence[Truth], *, overlap: float = 0.5) -> dict[int, float]:
    """The average precision of each class that is in the pictures, in [0, 1], by number.

    As COCO computes it for one overlap and objects of any size: detections in decreasing order of their scores, each
    taken for the object of its class that it overlaps most and that none before it was taken for; the precision, made
    non-increasing in the recall, averaged over 101 recalls.

    Args:
        found, truth: of the same pictures.
        overlap: the intersection over union from which on a box is an object's.
    """
    classes = sorted({int(label) for picture in truth for label in picture.labels})
    return {number: _of_class(found, truth, number, overlap) for number in classes}


def mean_average_precision(found: Sequence[Detections], truth: Sequence[Truth], *, overlap: float = 0.5) -> float:
    """The mean of the classes' `average_precision`; not a number if there is nothing in the pictures."""
    each = average_precision(found, truth, overlap=overlap)
    return sum(each.values()) / len(each) if each else float("nan")


def _of_class(found: Sequence[Detections], truth: Sequence[Truth], number: int, overlap: float) -> float:
    scores, hits, objects = [], [], 0
    for seen, there in zip(found, truth, strict=True):
        own, boxes = seen.labels == number, there.boxes[there.labels == number]
        order = seen.scores[own].argsort(descending=True, stable=True)
        scores.append(seen.scores[own][order])
        hits.append(_hits(seen.boxes[own][order], boxes, overlap))
        objects += len(boxes)
    order = torch.cat(scores).argsort(descending=True, stable=True)
    right = torch.cat(hits)[order].double().cumsum(0)
    precision = right / torch.arange(1, len(right) + 1)
    precision = precision.flip(0).cummax(0).values.flip(0) if len(right) else precision
    at = torch.searchsorted(right / objects, torch.linspace(0, 1, _RECALLS, dtype=torch.float64))
    return float(torch.cat([precision, precision.new_zeros(1)])[at].mean())  # 0 for a recall that is not reached


def _hits(boxes: Tensor, objects: Tensor, overlap: float) -> Tensor:
    """Which of the ``boxes`` (k, 4), the surest first, are one of the ``objects`` (m, 4), each of them once, (k,)."""
    overlaps, hits = box_iou(boxes, objects), torch.zeros(len(boxes), dtype=torch.bool)
    for number, own in enumerate(overlaps if len(objects) else ()):
        best = int(own.argmax())
        if own[best] >= overlap:
            hits[number] = True
            overlaps[:, best] = -1  # taken
    return hits
