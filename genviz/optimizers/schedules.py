"""How a learning rate goes over a training."""

from __future__ import annotations

import math
from collections.abc import Callable


def cosine(updates: int, warm_up: int) -> Callable[[int], float]:
    """The learning rate's share at an update: a rise over ``warm_up`` of the ``updates``, then half a cosine's fall."""

    def share(update: int) -> float:
        rise = min(1.0, (update + 1) / max(1, warm_up))
        return rise * (0.002 + 0.998 * (1 + math.cos(math.pi * min(1.0, update / updates))) / 2)

    return share


def falling(updates: int, end: float, rise: int = 0) -> Callable[[int], float]:
    """The learning rate's share at an update: up to 1 over ``rise`` of them, then down to ``end``, by half a cosine."""

    def share(update: int) -> float:
        if update < rise:
            return (update + 1) / rise
        fallen = min(1.0, (update - rise) / max(1, updates - rise - 1))
        return end + (1 - end) * (1 + math.cos(math.pi * fallen)) / 2

    return share
