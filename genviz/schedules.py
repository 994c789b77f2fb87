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


def falling(updates: int, end: float) -> Callable[[int], float]:
    """The learning rate's share at an update: from 1 down to ``end`` at the last, by half a cosine."""

    def share(update: int) -> float:
        return end + (1 - end) * (1 + math.cos(math.pi * min(1.0, update / max(1, updates - 1)))) / 2

    return share
