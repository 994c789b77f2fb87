"""What a position of a layer sees of a picture, cut out."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from genviz.classifiers.tracing.receptive_field import Area, ReceptiveField
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


def box_of(place: tuple[int, ...], area: Area | None, size: tuple[int, int]) -> Box:
    """What the position ``place`` (row, column) sees of pictures of ``size``, rows and columns.

    It is the whole picture if there is no area, or no place, and its whole height or width if the area is larger.
    """
    if area is None or len(place) != 2:
        return Box(0, 0, size[1], size[0])
    (top, bottom), (left, right) = (
        (0, whole) if field.size >= whole else _ends(field, at)
        for at, field, whole in zip(place, area, size, strict=True)
    )
    return Box(left, top, right, bottom)


def _ends(field: ReceptiveField, at: int) -> tuple[int, int]:
    first = round(field.low + field.stride * at)
    return first, first + field.size


def cut(image: Tensor, box: Box, beyond: float) -> Tensor:
    """The part of ``image`` (c, h, w) in ``box``, with ``beyond`` where there is no picture."""
    rows, columns = image.shape[-2:]
    edges = (-box.left, box.right - columns, -box.top, box.bottom - rows)
    return F.pad(image, edges, value=beyond)  # a negative margin crops
