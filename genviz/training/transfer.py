"""A tensor on its way from a device to the host, which goes on meanwhile."""

from __future__ import annotations

import torch
from torch import Tensor


class Transfer:
    """A copy of ``values`` in the host's memory, begun at once.

    On a card, neither the host nor the card waits: the copy goes to pinned memory, behind what is queued already.
    """

    def __init__(self, values: Tensor) -> None:
        values, self._event = values.detach(), None
        if values.device.type == "cuda":
            here = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            values = here.copy_(values, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        self._values = values.cpu()

    @property
    def is_here(self) -> bool:
        """Whether the copy is complete."""
        return self._event is None or bool(self._event.query())

    def values(self) -> Tensor:
        """The copy; waits until it is complete."""
        if self._event is not None:
            self._event.synchronize()
        return self._values
