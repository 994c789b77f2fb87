"""Random streams, one per image, independent of the rest of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


class Streams:
    """One random stream for each of n images.

    A single image uses torch's global stream; several have one each. So an image in a batch draws what it would draw
    alone with its seed. Images with the same seed draw the same, once for all of them.

    Args:
        seeds: one per image; None for a single image on torch's global stream.

    Attributes:
        device: where what is drawn goes. It is drawn on the CPU, so that a seed means the same everywhere, and copied
            without the host waiting for the device.
    """

    def __init__(self, seeds: Sequence[int] | None = None) -> None:
        self.device = torch.device("cpu")
        self._tape: list[tuple[Tensor, Callable[[], Tensor]]] | None = None
        self._given: Iterator[Tensor] | None = None
        known: dict[int | None, int] = {}
        self._which = [known.setdefault(seed, len(known)) for seed in ([None] if seeds is None else map(int, seeds))]
        self._rows = torch.tensor(self._which)
        self._streams = [None if seed is None else torch.Generator().manual_seed(seed) for seed in known]

    @property
    def own(self) -> bool:
        """Whether they are not torch's global stream."""
        return self._streams != [None]

    @property
    def alike(self) -> bool:
        """Whether all images draw the same."""
        return len(self._streams) == 1

    def __len__(self) -> int:
        return len(self._which)

    def normal(self, *shape: int) -> Tensor:
        """Draw (n, *shape) from N(0, 1)."""
        return self._drawn(lambda stream: torch.randn(shape, generator=stream))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Draw (n, *shape) uniformly from ``low`` to ``high``."""
        return self._drawn(lambda stream: torch.empty(shape).uniform_(low, high, generator=stream))

    def whole(self, low: int, high: int, *shape: int) -> list[Any]:
        """Draw (n, *shape) whole numbers from ``low`` to ``high``, without ``high``, as nested lists.

        Raises:
            NotImplementedError: within `giving`, which has none.
        """
        if self._given is not None:
            raise NotImplementedError("images are moved by whole numbers, which the host draws for each update")
        drawn = self._draw(lambda stream: torch.randint(low, high, shape, generator=stream)).tolist()
        return [drawn[stream] for stream in self._which]

    def each(self, make: Callable[[], Made]) -> list[Made]:
        """What ``make``, which draws from torch's global stream, would have made for each image alone.

        Images with the same seed share what was made.
        """
        made = []
        for stream in self._streams:
            if stream is None:
                made.append(make())
                continue
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(stream.get_state())
                made.append(make())
                stream.set_state(torch.get_rng_state())
        return [made[stream] for stream in self._which]

    def skip(self) -> None:
        """Draw what a single image's data loader draws from torch's global stream when training starts."""
        for stream in self._streams:
            if stream is not None:
                torch.empty((), dtype=torch.int64).random_(generator=stream)

    def state(self) -> list[Tensor]:
        """The state of each image's stream, for a checkpoint; nothing of torch's global one."""
        states = [stream.get_state() for stream in self._streams if stream is not None]
        return [states[stream] for stream in self._which] if states else []

    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a `state`.

        Raises:
            ValueError: it is of another number of images.
        """
        if not self.own and not state:
            return
        if len(state) != len(self):
            raise ValueError(f"the states of {len(state)} random streams cannot continue those of {len(self)} images")
        known: dict[bytes, int] = {}
        self._which = [known.setdefault(saved.numpy().tobytes(), len(known)) for saved in state]
        self._rows = torch.tensor(self._which)
        firsts = [state[self._which.index(stream)] for stream in range(len(known))]
        self._streams = [_continued(saved) for saved in firsts]

    @contextmanager
    def recorded(self) -> Iterator[list[tuple[Tensor, Callable[[], Tensor]]]]:
        """In this context, keep whatever is drawn, each with what draws the same again, with new numbers."""
        self._tape = tape = list[tuple[Tensor, Callable[[], Tensor]]]()
        try:
            yield tape
        finally:
            self._tape = None

    @contextmanager
    def giving(self, drawn: Iterable[Tensor]) -> Iterator[None]:
        """In this context, give what was ``drawn`` already, in this order."""
        self._given = iter(drawn)
        try:
            yield
        finally:
            self._given = None

    def _drawn(self, draw: Callable[[torch.Generator | None], Tensor]) -> Tensor:
        """What each image draws, (n, ...), on the device."""
        if self._given is not None:
            return next(self._given)

        def again() -> Tensor:
            return self._spread(self._draw(draw))

        drawn = again()
        if self._tape is not None:
            self._tape.append((drawn, again))
        return drawn

    def _draw(self, draw: Callable[[torch.Generator | None], Tensor]) -> Tensor:
        """What each stream draws, (streams, ...), on the CPU."""
        return torch.stack([draw(stream) for stream in self._streams])

    def _spread(self, drawn: Tensor) -> Tensor:
        """What each image has drawn, (n, ...), on the device."""
        if self._rows.device.type != self.device.type:
            self._rows = self._sent(self._rows)
        return self._sent(drawn).index_select(0, self._rows)

    def _sent(self, values: Tensor) -> Tensor:
        """``values`` on the device; pinned memory is copied to a card while the host goes on."""
        values = values.pin_memory() if self.device.type == "cuda" else values
        return values.to(self.device, non_blocking=True)


def _continued(state: Tensor) -> torch.Generator:
    stream = torch.Generator()
    stream.set_state(state)
    return stream
