"""Rates with their intervals."""

from __future__ import annotations

import math

_Z = 1.959963984540054
"""Of 95 %, on both sides of a normal distribution."""


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a rate, ``successes`` of ``count`` (Wilson 1927).

    Unlike rate +- 1.96 standard errors, it holds near 0 and 1, too, and does not leave them.

    Raises:
        ValueError: there are fewer than 0 successes, or more than there were tries.
    """
    if not 0 <= successes <= count:
        raise ValueError(f"{successes} successes of {count}")
    if count == 0:
        return 0.0, 1.0
    rate, square = successes / count, _Z**2 / count
    middle = (rate + square / 2) / (1 + square)
    reach = _Z / (1 + square) * math.sqrt(rate * (1 - rate) / count + square / count / 4)
    return (0.0 if successes == 0 else middle - reach), (1.0 if successes == count else middle + reach)


def told(successes: int, count: int) -> str:
    """A rate with its interval: ``78.4 % (74.6 to 81.8)``."""
    low, high = wilson(successes, count)
    rate = successes / count if count else 0.0
    return f"{100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
