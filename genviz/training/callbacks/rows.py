"""The numbers that updates leave on their device, read out without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor

from genviz.training.transfer import Transfer


class Rows:
    """A row of numbers for each update. They stay on the device until they are sent, and are here when they arrive."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Tensor]] = []
        self._sent: list[tuple[list[int], Transfer]] = []

    def add(self, update: int, row: Tensor) -> None:
        """Keep the ``row``, (numbers,), of an update."""
        self._kept.append((update, row.detach()))

    def send(self) -> None:
        """Begin to copy what is kept to the host."""
        if self._kept:
            updates, rows = zip(*self._kept, strict=True)
            self._sent.append((list(updates), Transfer(torch.stack(rows))))
            self._kept = []

    def arrived(self, *, wait: bool) -> list[tuple[int, list[float]]]:
        """The update and the numbers of each row that has arrived and was not given yet, in order.

        Args:
            wait: for all that were sent.
        """
        given: list[tuple[int, list[float]]] = []
        while self._sent and (wait or self._sent[0][1].is_here):
            updates, rows = self._sent.pop(0)
            given += zip(updates, rows.values().tolist(), strict=True)
        return given
