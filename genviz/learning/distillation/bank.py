"""Lessons on disk: a frozen network's outputs for crops, computed once for many epochs and trainings."""

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

from genviz.classifiers.weight_files.weights import fingerprint
from genviz.errors import UserError
from genviz.files import atomic_write
from genviz.learning.distillation.lessons import Lesson

FORMAT = "genviz.learning.distillation.bank.1"


class Bank(Dataset[Lesson]):
    """Lessons in half precision, in files of several crops: ``<root>/<digest of the identity>/<number>.safetensors``.

    A file is written atomically, with the bank's identity and a digest of its numbers; a damaged one counts as missing.
    All crops of a file have one size. Files are memory-mapped, so that a bank may be larger than the memory.

    Args:
        root: folder of banks.
        identity: every setting that a lesson depends on, flat.
        files: how many a complete bank has.

    Attributes:
        folder: where its files are.
    """

    def __init__(self, root: Path, identity: Mapping[str, str], files: int) -> None:
        self.identity, self.files = json.dumps({"format": FORMAT, **identity}, sort_keys=True), files
        self.folder = root / hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        self._lessons: list[Lesson] = []
        self._starts: list[int] = []

    def path(self, number: int) -> Path:
        """The path of the file ``number``."""
        return self.folder / f"{number:05d}.safetensors"

    def missing(self) -> Iterator[int | None]:
        """Check each file in turn: its number if it has to be made, None if it is whole."""
        for number in range(self.files):
            yield None if self._is_whole(number) else number

    def write(self, number: int, lesson: Lesson) -> None:
        """Write the file ``number``.

        Raises:
            UserError: it cannot be written, or the numbers exceed half precision.
        """
        state = {name: value.half().contiguous().cpu() for name, value in lesson._asdict().items()}
        for name, value in state.items():
            if not bool(value.isfinite().all()):
                raise UserError(f"the {name} of some crops are not finite in half precision; a bank cannot hold them")
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
        """The crops' numbers, grouped by size."""
        found: dict[tuple[int, ...], list[int]] = {}
        for number, lesson in enumerate(self._lessons):
            crops = range(self._starts[number], self._starts[number + 1])
            found.setdefault(tuple(lesson.features.shape[1:]), []).extend(crops)
        return list(found.values())

    def __getitem__(self, numbers: Sequence[int]) -> Lesson:
        """The lesson of crops of one size, in half precision."""
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
    """Endless batches of a bank's crops, each of one size, from update ``first`` on; each epoch is shuffled anew.

    Crops left over after the last full batch of a size are left out of that epoch.

    Args:
        groups: the crops' numbers, grouped by size.
        batch: crops per batch.
        seed: of the shuffling.
        first: the update to start at.
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
