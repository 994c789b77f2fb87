"""Folders of pictures, and crops of them."""

from __future__ import annotations

import itertools
import math
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from genviz.errors import UserError
from genviz.images.pictures import UNREADABLE, read_picture
from genviz.training.signals import ENDING


class Damaged:
    """The pictures that cannot be decoded: counted, and named once, whichever process finds them.

    Args:
        paths: all pictures.
        say: print their names; of several processes, one should.
    """

    def __init__(self, paths: Iterable[Path], *, say: bool = True) -> None:
        self.places = {path: place for place, path in enumerate(dict.fromkeys(paths))}
        self.say, self._flags = say, torch.zeros(len(self.places), dtype=torch.uint8).share_memory_()

    def __len__(self) -> int:
        return int(self._flags.sum())

    def __contains__(self, path: Path) -> bool:
        return bool(self._flags[self.places[path]])

    def add(self, path: Path) -> None:
        """Record one of them."""
        place = self.places[path]
        if not self._flags[place]:
            self._flags[place] = 1
            if self.say:
                print(f"left out: {path} cannot be decoded", file=sys.stderr, flush=True)


class Crops(Dataset[Tensor]):
    """An endless sequence of random crops, (3, size, size) bytes; crop ``number`` is the same in any process.

    Args:
        folders: the pictures of each folder.
        shares: how often to draw from each folder, whatever its size; None: equally often.
        size: side of the crops, or rows and columns, in pixels.
        area: smallest and largest share of the picture's area.
        colour: largest change of brightness, contrast and saturation either way, as a share; with 0, no crop is turned
            grey either.
        seed: of the draws.
        damaged: records those that cannot be decoded.
        shorter: pictures are cached in memory with this shorter side, in pixels.
        memory: size of the cache at most, in bytes.

    Raises:
        UserError: the shares or the area mean nothing.
    """

    def __init__(
        self,
        folders: Sequence[Sequence[Path]],
        *,
        size: int | tuple[int, int],
        shares: Sequence[float] | None = None,
        area: tuple[float, float] = (0.08, 1.0),
        colour: float = 0.4,
        seed: int = 0,
        shorter: int = 256,
        memory: int = 2 << 30,
        damaged: Damaged | None = None,
    ) -> None:
        if not (len(area) == 2 and 0 < area[0] <= area[1] <= 1):
            raise UserError(
                f"data.area={list(area)} must be the smallest and the largest share of a picture's area, above 0 and "
                "at most 1, such as [0.5,1.0]"
            )
        self.damaged = Damaged(path for folder in folders for path in folder) if damaged is None else damaged
        self.folders, self.size, self.seed, self.shorter, self.memory = folders, size, seed, shorter, memory
        rows, columns = (size, size) if isinstance(size, int) else size
        ratio = (3 / 4 * columns / rows, 4 / 3 * columns / rows)
        crop = v2.RandomResizedCrop(size, scale=area, ratio=ratio, antialias=True)
        changes: list[Any] = [crop, v2.RandomHorizontalFlip()]
        if colour > 0:
            changes += [v2.RandomApply([v2.ColorJitter(colour, colour, colour)], p=0.8), v2.RandomGrayscale(p=0.1)]
        self.change = v2.Compose(changes)
        self.shares = list(shares) if shares is not None else [1.0] * len(folders)
        if len(self.shares) != len(folders) or not all(share >= 0 for share in self.shares) or not any(self.shares):
            there = f"{len(folders)} folder{'s' * (len(folders) != 1)}"
            raise UserError(f"data.shares={self.shares}: there is {there}; give a number for each, not all 0")
        drawn = zip(folders, self.shares, strict=True)
        self._drawn_from = [path for folder, share in drawn if share > 0 for path in folder]
        self._kept: dict[Path, Tensor] = {}
        self._room = memory

    def __getitem__(self, number: int) -> Tensor:
        draw = random.Random(f"{self.seed}/{number}")
        picture = self._picture(draw)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.getrandbits(63))  # torch.manual_seed takes as long as the crop
            crop: Tensor = self.change(picture)
        return crop.contiguous()

    def _picture(self, draw: random.Random) -> Tensor:
        for tries in itertools.count(1):
            if tries % 100 == 0 and all(path in self.damaged for path in self._drawn_from):
                break
            path = draw.choice(draw.choices(self.folders, self.shares)[0])
            if path in self.damaged:
                continue
            kept = self._kept.get(path)
            if kept is not None:
                return kept
            try:
                picture = read_picture(path, self.shorter)
            except UNREADABLE:
                self.damaged.add(path)
                continue
            if self._room >= picture.numel():
                self._kept[path] = picture
                self._room -= picture.numel()
            return picture
        raise UserError("no picture can be decoded")


class Centres(Dataset[Tensor | None]):
    """The centre crop of each picture, (3, size, size) bytes, or (3, rows, columns).

    None for a picture that cannot be decoded; `stack` leaves it out of its batch.

    Args:
        paths: the pictures.
        size: side, or rows and columns, in pixels.
        shorter: a square is cut from the picture resized to this shorter side, in pixels; another shape with the same
            relative margin.
        damaged: records those that cannot be decoded.
    """

    def __init__(
        self, paths: Sequence[Path], *, size: int | tuple[int, int], shorter: int, damaged: Damaged | None = None
    ) -> None:
        self.paths, self.size = paths, (size, size) if isinstance(size, int) else size
        self.margin = shorter / min(self.size)
        self.damaged = Damaged(paths) if damaged is None else damaged

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Tensor | None:
        try:
            picture = read_picture(self.paths[number], round(self.margin * max(self.size)))
        except UNREADABLE:
            self.damaged.add(self.paths[number])
            return None
        (rows, columns), (height, width) = self.size, picture.shape[1:]
        scale = self.margin * max(rows / height, columns / width)
        shorter = math.ceil(min(height, width) * scale - 1e-6)
        return F.center_crop(F.resize(picture, [shorter], antialias=True), [rows, columns])


def decodes(path: Path) -> bool:
    """Whether a picture can be decoded."""
    try:
        read_picture(path, 32)
    except UNREADABLE:
        return False
    return True


def stack(pictures: Sequence[Tensor | None]) -> Tensor:
    """A batch (n, 3, h, w) of those that could be decoded; n may be 0."""
    whole = [picture for picture in pictures if picture is not None]
    return torch.stack(whole) if whole else torch.empty(0, 3, 1, 1, dtype=torch.uint8)


def leave_signals_to_the_parent(worker: int) -> None:  # noqa: ARG001
    """Have a worker that cuts crops ignore signals to the whole group: the training saves, and ends the workers."""
    for which in ENDING:
        signal.signal(which, signal.SIG_IGN)


def numbers(update: int, batch: int, process: int = 0, processes: int = 1) -> range:
    """The numbers of a process's crops in an update: ``batch`` of them; all processes together take each once."""
    first = (update * processes + process) * batch
    return range(first, first + batch)


class Batches:
    """Endless batches of crops' `numbers`, from update ``first`` on: a sampler for a training that may be resumed."""

    def __init__(self, first: int, batch: int, process: int = 0, processes: int = 1) -> None:
        self.first, self.share = first, (batch, process, processes)

    def __iter__(self) -> Iterator[list[int]]:
        for update in itertools.count(self.first):
            yield list(numbers(update, *self.share))


class Timed:
    """Batches of a loader, and the seconds spent waiting for them, except for the first, while its workers start."""

    def __init__(self, loader: Iterable[Tensor]) -> None:
        self.loader, self.seconds = loader, 0.0

    def __iter__(self) -> Iterator[Tensor]:
        batches = iter(self.loader)
        yield next(batches)
        while True:
            begin = time.monotonic()
            try:
                batch = next(batches)
            except StopIteration:
                return
            self.seconds += time.monotonic() - begin
            yield batch


def split(paths: Sequence[Path], every: int) -> tuple[list[Path], list[Path]]:
    """The pictures to train on, and those held out: every ``every``-th, from the middle of the first stretch on."""
    held = [path for index, path in enumerate(paths) if index % every == every // 2 - 1]
    return [path for index, path in enumerate(paths) if index % every != every // 2 - 1], held
