"""The size of a network's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genviz.errors import UserError

Size = int | Sequence[int]
"""The side of a square, or rows and columns; in pixels."""


def size_of(given: Any, name: str = "classifier.input_size") -> tuple[int, int]:
    """Rows and columns of the input size ``given``: a number of pixels, or two.

    Raises:
        UserError: it is neither.
    """
    sides = (given, given) if isinstance(given, int) else given
    pair = tuple(sides) if isinstance(sides, Sequence) and not isinstance(sides, str) else ()
    if len(pair) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in pair):
        raise UserError(f"{name}={given} must be a number of pixels, or two: [rows,columns]")
    return pair
