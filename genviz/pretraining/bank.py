"""Lessons on disk: what a frozen network computes of crops, computed once for many epochs and many trainings."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor
from torch.utils.data import Dataset

from genviz.classifiers.weights import fingerprint
from genviz.errors import UserError
from genviz.files import atomic_write
from genviz.pretraining.lessons import Lesson

FORMAT = "genviz.pretraining.bank.1"


class Bank(Dataset[Lesson]):
    """Lessons in half precision, in files of some crops each: ``<root>/<digest of the identity>/<number>.safetensors``.

    A file is there whole or not at all, says whose it is, and holds a digest of its numbers; one that is damaged counts
    as missing. All crops of a file were seen in one size. A file is mapped into memory, so that a bank may be larger
    than that.

    Args:
        root: folder of banks.
        identity: every setting that a lesson depends on, flat.
        files: how many there are to be.

    Attributes:
        folder: of its files.
    """

    def __init__(self, root: Path, identity: Mapping[str, str], files: int) -> None:
        self.identity, self.files = json.dumps({"format": FORMAT, **identity}, sort_keys=True), files
        self.folder = root / hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        self._lessons: list[Lesson] = []
        self._starts: list[int] = []

    def path(self, number: int) -> Path:
        """Of a file."""
        return self.folder / f"{number:05d}.safetensors"

    def missing(self) -> Iterator[int | None]:
        """Look at each file, one after another: its number where it is to be made, None where it is whole."""
        for number in range(self.files):
            yield None if self._is_whole(number) else number

    def write(self, number: int, lesson: Lesson) -> None:
        """Make a file.

        Raises:
            UserError: it cannot be written, or half precision has no such numbers.
        """
        state = {name: value.half().contiguous().cpu() for name, value in lesson._asdict().items()}
        for name, value in state.items():
            if not bool(value.isfinite().all()):
                raise UserError(f"the {name} of some crops are no numbers in half precision; no bank can hold them")
        metadata = {"identity": self.identity, "sha256": fingerprint(state)}
        with atomic_write(self.path(number)) as file:
            file.write(save(state, metadata))

    def open(self) -> None:
        """Map all files into memory."""
        self._lessons = [Lesson(**load_file(self.path(number))) for number in range(self.files)]
        self._starts = [0, *itertools.accumulate(len(lesson.scores) for lesson in self._lessons)]

    def __len__(self) -> int:
        return self._starts[-1]

    def groups(self) -> list[list[int]]:
        """The crops' numbers, together those of one size."""
        found: dict[tuple[int, ...], list[int]] = {}
        for number, lesson in enumerate(self._lessons):
            crops = range(self._starts[number], self._starts[number + 1])
            found.setdefault(tuple(lesson.features.shape[1:]), []).extend(crops)
        return list(found.values())

    def __getitem__(self, numbers: Sequence[int]) -> Lesson:
        """The lesson of some crops of one size, in half precision."""
        rows = [self._row(number) for number in numbers]
        return Lesson(*(torch.stack([row[part] for row in rows]) for part in (0, 1)))

    def _row(self, number: int) -> tuple[Tensor, Tensor]:
        file = bisect_right(self._starts, number) - 1
        features, scores = self._lessons[file]
        place = number - self._starts[file]
        return features[place], scores[place]

    def _is_whole(self, number: int) -> bool:
        path = self.path(number)
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            state = load_file(path)
            ordered = {name: state[name] for name in Lesson._fields}
        except (SafetensorError, OSError, LookupError):
            return False
        return metadata.get("identity") == self.identity and metadata.get("sha256") == fingerprint(ordered)


class Epochs:
    """Endless batches of a bank's crops, each of one size, from update ``first`` on; the order is another each epoch.

    What is left of a size after its last whole batch waits for the next epoch.

    Args:
        groups: the crops' numbers, together those of one size.
        batch: crops.
        seed: of the order.
        first: the update to begin with.
    """

    def __init__(self, groups: Sequence[Sequence[int]], batch: int, seed: int, first: int = 0) -> None:
        self.groups, self.batch, self.seed, self.first = groups, batch, seed, first

    def __iter__(self) -> Iterator[list[int]]:
        length = sum(max(len(group) // self.batch, 1) for group in self.groups)
        for epoch in itertools.count(self.first // length):
            batches = self._epoch(epoch)
            yield from batches[self.first % length if epoch == self.first // length else 0 :]

    def _epoch(self, epoch: int) -> list[list[int]]:
        draw = random.Random(f"{self.seed}/{epoch}")
        batches = []
        for group in self.groups:
            order = draw.sample(group, len(group))
            count = max(len(order) // self.batch, 1)
            batches += [order[place * self.batch : (place + 1) * self.batch] for place in range(count)]
        draw.shuffle(batches)
        return batches
