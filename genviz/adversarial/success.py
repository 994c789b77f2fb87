"""How often an attack succeeds, with the interval that the number of trials leaves."""

from __future__ import annotations

import math
from typing import NamedTuple

_NORMAL = 1.959964  # of 95 %, both sides


class Success(NamedTuple):
    """How many of so many trials succeeded."""

    reached: int
    of: int

    @property
    def share(self) -> float:
        """From 0 to 1; nan without trials."""
        return self.reached / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Wilson 1927); nan without trials.

        >>> [round(end, 4) for end in Success(9, 10).interval]
        [0.5958, 0.9821]
        """
        if not self.of:
            return math.nan, math.nan
        squared = _NORMAL**2
        middle = (self.reached + squared / 2) / (self.of + squared)
        half = _NORMAL / (self.of + squared) * math.sqrt(self.reached * (1 - self.share) + squared / 4)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.1%} ({low:.1%} to {high:.1%})" if self.of else "no picture"
