"""What a position of a layer sees of its input."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Of a module's positions, down as across, in positions of its input; receptive fields are made of them."""

    size: int
    """How many positions of the input one position sees."""

    stride: int
    """Distance between neighbouring ones."""

    first: float
    """The centre of the first; 0 is the first position of the input."""


POINT = Window(1, 1, 0.0)
