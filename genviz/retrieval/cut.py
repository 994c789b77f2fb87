"""What a position of a layer sees of a picture, cut out."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from genviz.classifiers.tracing.receptive_field import ReceptiveField
from genviz.interfaces import Layer


class Box(NamedTuple):
    """Part of a picture, in pixels of the classifier's input; it may reach beyond the border."""

    left: int
    top: int
    right: int
    bottom: int
    """The first column and row that do not belong to it."""


def place_of(position: int, layer: Layer) -> tuple[int, ...]:
    """The row and column, or whatever the layer has, of a position in the flattened map."""
    shape, place = layer.shape[1:], []
    for number in range(len(shape)):
        place.append(position // prod(shape[number + 1 :]) % shape[number])
    return tuple(place)


def box_of(place: tuple[int, ...], field: ReceptiveField | None, size: tuple[int, int]) -> Box:
    """The receptive field of the position ``place`` (row, column) in pictures of ``size``, rows and columns.

    It is the whole picture if there is no field, no place, or a field that is larger than the picture.
    """
    if field is None or len(place) != 2 or field.size >= min(size):
        return Box(0, 0, size[1], size[0])
    top, left = (round(field.offset + field.stride * at - (field.size - 1) / 2) for at in place)
    return Box(left, top, left + field.size, top + field.size)


def cut(image: Tensor, box: Box, beyond: float) -> Tensor:
    """The part of ``image`` (c, h, w) in ``box``, with ``beyond`` where there is no picture."""
    rows, columns = image.shape[-2:]
    edges = (-box.left, box.right - columns, -box.top, box.bottom - rows)
    return F.pad(image, edges, value=beyond)  # a negative margin crops
