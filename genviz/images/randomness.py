"""Random streams, one per image, independent of the rest of the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


class Streams:
    """One random stream for each of n images.

    A single image uses torch's global stream; several have one each. So an image in a batch draws what it would draw
    alone with its seed.

    Args:
        seeds: one per image; None for a single image on torch's global stream.
    """

    def __init__(self, seeds: Sequence[int] | None = None) -> None:
        self._streams: list[torch.Generator | None] = (
            [None] if seeds is None else [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        )

    @property
    def own(self) -> bool:
        """Whether they are not torch's global stream."""
        return self._streams != [None]

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, *shape: int) -> Tensor:
        """Draw (n, *shape) from N(0, 1)."""
        return self._draw(lambda stream: torch.randn(shape, generator=stream))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw (n, *shape) uniformly from ``low`` to ``high``."""
        return self._draw(lambda stream: torch.empty(shape).uniform_(low, high, generator=stream))

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """Draw (n, *shape) whole numbers from ``low`` to ``high``, without ``high``."""
        return self._draw(lambda stream: torch.randint(low, high, shape, generator=stream))

    def each(self, make: Callable[[], Made]) -> list[Made]:
        """Call ``make``, which draws from torch's global stream, once per image, as for that image alone."""
        made = []
        for stream in self._streams:
            if stream is None:
                made.append(make())
                continue
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(stream.get_state())
                made.append(make())
                stream.set_state(torch.get_rng_state())
        return made

    def skip(self) -> None:
        """Draw what a single image's data loader draws from torch's global stream when training starts."""
        for stream in self._streams:
            if stream is not None:
                torch.empty((), dtype=torch.int64).random_(generator=stream)

    def state(self) -> list[Tensor]:
        """The state of all streams but torch's global one, for a checkpoint."""
        return [stream.get_state() for stream in self._streams if stream is not None]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a `state`."""
        for stream, saved in zip((stream for stream in self._streams if stream is not None), state, strict=True):
            stream.set_state(saved)

    def _draw(self, draw: Callable[[torch.Generator | None], Tensor]) -> Tensor:
        return torch.stack([draw(stream) for stream in self._streams])
