"""Shares of pictures, with their intervals."""

from __future__ import annotations

import math

_Z = 1.959964  # of 95 %


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927).

    >>> from genviz.adversarial.rates import wilson
    >>> low, high = wilson(198, 200)
    >>> round(low, 3), round(high, 3)
    (0.964, 0.997)
    """
    if not count:
        return 0.0, 1.0
    share, spread = successes / count, _Z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def told(successes: int, count: int) -> str:
    """A share with its interval, for people: ``98.5 % (95.7 to 99.5) of 200``."""
    low, high = wilson(successes, count)
    return f"{successes / max(count, 1):.1%} ({100 * low:.1f} to {100 * high:.1f}) of {count}"
