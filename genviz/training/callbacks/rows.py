"""The numbers that updates leave on their device, read out without waiting for it."""

from __future__ import annotations

import torch
from torch import Tensor


class Rows:
    """A row of numbers for each update. They stay on the device until they are sent, and are here when they arrive."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Tensor]] = []
        self._sent: list[tuple[list[int], Tensor, torch.cuda.Event | None]] = []

    def add(self, update: int, row: Tensor) -> None:
        """Keep the ``row``, (numbers,), of an update."""
        self._kept.append((update, row.detach()))

    def send(self) -> None:
        """Begin to copy what is kept to the host."""
        if not self._kept:
            return
        updates, rows = [update for update, _ in self._kept], torch.stack([row for _, row in self._kept])
        self._kept, arrived = [], None
        if rows.device.type == "cuda":
            here = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True)
            rows = here.copy_(rows, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._sent.append((updates, rows, arrived))

    def arrived(self, *, wait: bool) -> list[tuple[int, list[float]]]:
        """The update and the numbers of each row that has arrived and was not given yet, in order.

        Args:
            wait: for all that were sent.
        """
        rows: list[tuple[int, list[float]]] = []
        while self._sent:
            updates, values, arrived = self._sent[0]
            if arrived is not None and not arrived.query():
                if not wait:
                    break
                arrived.synchronize()
            rows += zip(updates, values.tolist(), strict=True)
            del self._sent[0]
        return rows
