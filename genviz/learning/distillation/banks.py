"""Fills banks of lessons, keeping the files that are already there."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import prepare_folder
from genviz.learning import picture_folders
from genviz.learning.data import Damaged
from genviz.learning.distillation.bank import Bank
from genviz.learning.distillation.lessons import Lesson, Lessons
from genviz.learning.distillation.student import whole
from genviz.learning.picture_folders import Folder
from genviz.learning.picture_training import Training
from genviz.training import fingerprint
from genviz.training.run_folders import claim

_TOGETHER = 32  # crops that are processed, and mixed, together
_HALF = 2  # bytes per number


class Banks:
    """The banks of a distillation of heads.

    Args:
        lessons: computes what the banks hold.
        training: its device and precision are used.
        damaged: records the pictures that cannot be decoded.
    """

    def __init__(
        self, config: DictConfig, folders: Sequence[Folder], lessons: Lessons, training: Training, damaged: Damaged
    ) -> None:
        self.config, self.folders, self.lessons, self.damaged = config, folders, lessons, damaged
        self.root = Path(config.data.bank).expanduser()
        self.device = training.trainer.strategy.root_device
        self.precision = training.trainer.precision_plugin
        self.sha256 = {"teacher": lessons.teachers.sha256, "student.trunk": lessons.trunk.trunk_sha256}

    def of_crops(self) -> Bank:
        """The lessons of ``data.crops`` crops, plus a few to fill the last file.

        Raises:
            UserError: there is no room for them on the disk.
        """
        chunk, sizes = self.config.data.chunk, self.lessons.sizes
        known = _known([(folder, path) for folder in self.folders for path in folder.training])
        own = fingerprint.of_lessons(self.config, self.sha256, known, whole=False)
        bank = Bank(self.root, own, math.ceil(self.config.data.crops / chunk))
        self._check_room(bank)
        with self._claimed(bank), tqdm(total=bank.files * chunk, unit="crop", desc="bank", dynamic_ncols=True) as bar:
            missing = self._missing(bank, bar, chunk)
            parts = [_parts(number * chunk, chunk) for number in missing]
            batches = [part for own_parts in parts for part in own_parts]
            crops = self._crops(batches)
            for number, own_parts in zip(missing, parts, strict=True):
                lessons = []
                for part in own_parts:
                    with torch.random.fork_rng():
                        torch.manual_seed(self.config.seed + (part[0] << 32))
                        lessons.append(self._seen(next(crops), sizes[number % len(sizes)]))
                    bar.update(len(part))
                bank.write(number, _joined(lessons))
        bank.open()
        return bank

    def of_whole(self, folder: Folder) -> Bank:
        """The lessons of a folder's held-out pictures, whole."""
        known = _known([(folder, path) for path in folder.held_out])
        bank = Bank(self.root, fingerprint.of_lessons(self.config, self.sha256, known, whole=True), 1)
        with self._claimed(bank):
            if any(number is not None for number in bank.missing()):
                size = self.lessons.examiners.size
                batches = tqdm(
                    whole(folder, size, self.damaged, _TOGETHER),
                    desc=f"{folder.name}, held out",
                    unit="batch",
                    leave=False,
                )
                bank.write(0, _joined([self._seen(batch, None) for batch in batches if len(batch)]))
        bank.open()
        return bank

    @contextmanager
    def _claimed(self, bank: Bank) -> Iterator[None]:
        with ExitStack() as stack:
            held = claim(self.root / f"{bank.folder.name}.lock")
            if held is None:
                raise UserError(f"{bank.folder} is in use by another process; wait for it, and start again")
            stack.enter_context(held)
            prepare_folder(bank.folder)
            yield

    def _missing(self, bank: Bank, bar: tqdm[Any], chunk: int) -> list[int]:
        missing = []
        for number in bank.missing():
            if number is None:
                bar.initial += chunk
                bar.update(chunk)
            else:
                missing.append(number)
        return missing

    def _check_room(self, bank: Bank) -> None:
        prepare_folder(self.root)
        there = len(list(bank.folder.glob("*.safetensors")))
        numbers = [math.prod(self.lessons.shape(size)) for size in self.lessons.sizes]
        crop = _HALF * (sum(numbers) / len(numbers) + self.lessons.classes)
        whole, free = bank.files * self.config.data.chunk * crop, shutil.disk_usage(self.root).free
        if (needed := whole * max(1 - there / bank.files, 0)) > free:
            raise UserError(
                f"data.crops={self.config.data.crops} needs {needed / 1e9:.1f} GB more, and {self.root} has only "
                f"{free / 1e9:.1f} GB left; give another place, data.bank=FOLDER, or fewer, data.crops=N"
            )
        print(f"bank     {bank.folder}  ({whole / 1e9:.2f} GB, {there} of {bank.files} files)", flush=True)

    def _crops(self, batches: Sequence[Sequence[int]]) -> Iterator[Tensor]:
        size = self.lessons.teachers.size
        return iter(
            picture_folders.crops(self.config, self.folders, batches, size=size, shorter=256, damaged=self.damaged)
            if batches
            else ()
        )

    def _seen(self, crops: Tensor, size: int | None) -> Lesson:
        """The lesson of ``crops``, or of whole pictures if there is no ``size``, on the CPU."""
        crops = crops.to(self.device)
        with self.precision.forward_context():
            lesson = self.lessons.whole(crops) if size is None else self.lessons(crops, size)
        return Lesson(*(part.half().cpu() for part in lesson))


def _joined(lessons: Sequence[Lesson]) -> Lesson:
    features, scores = zip(*lessons, strict=True)
    return Lesson(torch.cat(features), torch.cat(scores))


def _parts(first: int, count: int) -> list[list[int]]:
    numbers = list(range(first, first + count))
    return [numbers[place : place + _TOGETHER] for place in range(0, count, _TOGETHER)]


def _known(files: Sequence[tuple[Folder, Path]]) -> list[str]:
    """The pictures' names and file sizes, as regenerated dreams keep their names."""
    return [f"{folder.name}/{path.relative_to(folder.root)} {path.stat().st_size}" for folder, path in files]
