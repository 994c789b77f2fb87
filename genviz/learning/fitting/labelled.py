"""Labelled pictures in memory or in files, at a network's input size."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from genviz.images.pictures import UNREADABLE, display, read_picture, resize
from genviz.learning.data import Damaged, decodes, leave_signals_to_the_parent


class Labelled(NamedTuple):
    """Pictures, each with the number of its class."""

    pictures: Sequence[Path] | np.ndarray
    """Files, or RGB bytes (n, h, w, 3)."""

    labels: Tensor
    """(n,), whole numbers from 0 up."""

    def subset(self, numbers: Tensor) -> Labelled:
        """Those of these ``numbers``, in their order."""
        if isinstance(self.pictures, np.ndarray):
            return Labelled(self.pictures[numbers.numpy()], self.labels[numbers])
        return Labelled([self.pictures[number] for number in numbers.tolist()], self.labels[numbers])

    def any_decodes(self, sound: Callable[[Path], bool] = decodes) -> bool:
        """Whether any of the pictures can be decoded; ``sound`` says it of a file."""
        return isinstance(self.pictures, np.ndarray) or any(map(sound, self.pictures))


class Batch(NamedTuple):
    """Pictures with their labels."""

    images: Tensor
    """(n, 3, h, w), bytes."""

    labels: Tensor
    """(n,)."""


class Pictures(Dataset[Batch]):
    """Labelled pictures, many at a time: item ``numbers`` is a `Batch` of them, without those that are damaged.

    Each is shrunk until it covers the input, and cut to the middle.

    Args:
        labelled: the pictures.
        size: rows and columns of the input, in pixels.
        memory: how much of them is cached at most, in bytes.
        damaged: records those that cannot be decoded.
    """

    def __init__(self, labelled: Labelled, size: tuple[int, int], *, memory: int, damaged: Damaged) -> None:
        self.labelled, self.size, self.damaged = labelled, size, damaged
        self._kept: dict[int, Tensor] = {}
        self._room = memory

    def __len__(self) -> int:
        return len(self.labelled.labels)

    def __getitem__(self, numbers: Sequence[int]) -> Batch:
        found = [(number, picture) for number in numbers if (picture := self._picture(number)) is not None]
        if not found:
            return Batch(torch.empty(0, 3, *self.size, dtype=torch.uint8), torch.empty(0, dtype=torch.long))
        images = torch.stack([picture for _, picture in found])
        return Batch(images, self.labelled.labels[[number for number, _ in found]])

    def __getitems__(self, numbers: Sequence[int]) -> Batch:
        return self[numbers]

    def _picture(self, number: int) -> Tensor | None:
        if (kept := self._kept.get(number)) is not None:
            return kept
        pictures = self.labelled.pictures
        if isinstance(pictures, np.ndarray):
            picture = torch.from_numpy(pictures[number]).permute(2, 0, 1)
        elif (path := pictures[number]) in self.damaged:
            return None
        else:
            try:
                picture = read_picture(path, max(self.size))
            except UNREADABLE:
                self.damaged.add(path)
                return None
        picture = covering(picture, self.size)
        if self._room >= picture.numel():
            self._kept[number] = picture
            self._room -= picture.numel()
        return picture


def covering(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of a picture of bytes (3, h, w), resized so that it just covers ``size`` rows and columns."""
    (rows, columns), (height, width) = size, picture.shape[1:]
    if (height, width) == size:
        return picture.contiguous()
    scale = max(rows / height, columns / width)
    larger = (max(rows, round(scale * height)), max(columns, round(scale * width)))
    resized = display(resize(picture[None].float() / 255, larger))[0].permute(2, 0, 1)
    top, left = (larger[0] - rows) // 2, (larger[1] - columns) // 2
    return resized[:, top : top + rows, left : left + columns].contiguous()


class Shuffled:
    """Endless batches of numbers, each epoch in an order of its own, from update ``first`` on.

    The batches of an epoch are always the same, so that a training can be resumed; the last may be smaller, or larger
    by one: a picture that would be alone is in the batch before, since batch norm may need two.

    Args:
        count: the number of pictures.
        batch: how many at a time.
        seed: of the orders.
        first: the update to begin with.
    """

    def __init__(self, count: int, batch: int, seed: int, first: int = 0) -> None:
        self.count, self.batch, self.seed, self.first = count, batch, seed, first

    def __iter__(self) -> Iterator[list[int]]:
        a_pass = updates_of(self.count, self.batch)
        epoch, skipped = divmod(self.first, a_pass)
        ends = [self.batch * number for number in range(1, a_pass)]
        for number in itertools.count(epoch):
            own = torch.Generator().manual_seed((self.seed << 20) + number)
            batches = torch.randperm(self.count, generator=own).tensor_split(ends)
            yield from (batch.tolist() for batch in batches[skipped:])
            skipped = 0


def updates_of(count: int, batch: int) -> int:
    """The updates of an epoch; none is made for a picture left over, which joins the last batch."""
    return max(1, count // batch + (count % batch > 1))


def loader(pictures: Pictures, batches: Shuffled | int, *, workers: int = 0) -> DataLoader[Batch]:
    """Batches of ``pictures``: `Shuffled`, or so many at a time, in order."""
    own = torch.Generator()  # otherwise each would draw one of the training's random numbers
    if isinstance(batches, int):
        numbers = [[*range(first, min(first + batches, len(pictures)))] for first in range(0, len(pictures), batches)]
        return DataLoader(pictures, batch_size=None, sampler=numbers, generator=own)
    return DataLoader(
        pictures,
        batch_size=None,
        sampler=batches,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=leave_signals_to_the_parent,
        generator=own,
    )
