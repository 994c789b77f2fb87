"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable


def cosine(updates: int, warm_up: int) -> Callable[[int], float]:
    """Learning-rate factor at an update: a linear rise over ``warm_up`` updates, times a half-cosine decay to 0.002."""

    def share(update: int) -> float:
        rise = min(1.0, (update + 1) / max(1, warm_up))
        return rise * (0.002 + 0.998 * (1 + math.cos(math.pi * min(1.0, update / updates))) / 2)

    return share


def falling(updates: int, end: float, rise: int = 0) -> Callable[[int], float]:
    """Learning-rate factor at an update: a linear rise over ``rise`` updates, then a half-cosine decay to ``end``."""

    def share(update: int) -> float:
        if update < rise:
            return (update + 1) / rise
        fallen = min(1.0, (update - rise) / max(1, updates - rise - 1))
        return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2

    return share


def inverse_time(decay: float) -> Callable[[int], float]:
    """Learning-rate factor at an update: 1 / (1 + decay * update), which Keras calls ``decay``."""
    return lambda update: 1 / (1 + decay * update)
