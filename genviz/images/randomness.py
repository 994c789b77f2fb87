"""Random numbers that an image draws for itself, whatever shares its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


class Streams:
    """One stream of random numbers for each of n images.

    A single image takes torch's own; several have one each. So an image of a batch draws what it would have drawn alone
    with its seed.

    Args:
        seeds: one an image; None for a single image on torch's own stream.
    """

    def __init__(self, seeds: Sequence[int] | None = None) -> None:
        self._streams: list[torch.Generator | None] = (
            [None] if seeds is None else [torch.Generator().manual_seed(seed) for seed in seeds]
        )

    @property
    def own(self) -> bool:
        """Whether they are not torch's."""
        return self._streams != [None]

    def __len__(self) -> int:
        return len(self._streams)

    def normal(self, *shape: int) -> Tensor:
        """(n, *shape) of N(0, 1)."""
        return self._draw(lambda stream: torch.randn(shape, generator=stream))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """(n, *shape), evenly from ``low`` to ``high``."""
        return self._draw(lambda stream: torch.empty(shape).uniform_(low, high, generator=stream))

    def whole(self, low: int, high: int, *shape: int) -> Tensor:
        """(n, *shape) of whole numbers from ``low`` up to, and without, ``high``."""
        return self._draw(lambda stream: torch.randint(low, high, shape, generator=stream))

    def each(self, make: Callable[[], Made]) -> list[Made]:
        """What ``make``, which draws from torch's own stream, makes for each image: what it would have made alone."""
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
        """Draw what the data loader of an image that is alone draws from torch's own stream as its training begins."""
        for stream in self._streams:
            if stream is not None:
                torch.empty((), dtype=torch.int64).random_(generator=stream)

    def state(self) -> list[Tensor]:
        """Of the streams that are not torch's own; for a checkpoint."""
        return [stream.get_state() for stream in self._streams if stream is not None]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Go on from a `state`."""
        for stream, saved in zip((stream for stream in self._streams if stream is not None), state, strict=True):
            stream.set_state(saved)

    def _draw(self, draw: Callable[[torch.Generator | None], Tensor]) -> Tensor:
        return torch.stack([draw(stream) for stream in self._streams])
