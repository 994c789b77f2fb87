"""The size of a network's input."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from genviz.errors import UserError, shown

Size = int | Sequence[int]
"""The side of a square, or rows and columns; in pixels."""
_LARGEST = 1 << 14  # pixels a side


def size_of(given: Any, name: str = "classifier.input_size") -> tuple[int, int]:
    """Rows and columns of the input size ``given``: a number of pixels, or two.

    Raises:
        UserError: it is neither, or a side is above 16,384.
    """
    sides = (given, given) if isinstance(given, Integral) else given
    listed = sides if isinstance(sides, Sequence) and not isinstance(sides, str) else ()
    pair = [int(side) for side in listed if not isinstance(side, bool) and isinstance(side, Integral)]  # NumPy's, too
    if len(listed) != 2 or len(pair) != 2 or min(pair) < 1:
        raise UserError(f"{name}={shown(str(given))} must be a number of pixels, or two: [rows,columns]")
    if max(pair) > _LARGEST:
        raise UserError(f"{name}={shown(str(given))} must be at most {_LARGEST:,} pixels a side")
    return pair[0], pair[1]
