"""The folders of pictures that a training reads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig
from torch.utils.data import DataLoader

from genviz.errors import UserError
from genviz.images.folders import apart, find_pictures
from genviz.images.given import readable
from genviz.learning.data import Damaged, decodes, leave_signals_to_the_parent, split
from genviz.training import build


@dataclass(frozen=True)
class Folder:
    """The pictures of one folder."""

    root: Path
    name: str
    training: list[Path]
    held_out: list[Path]
    others: list[Path]
    """Files that are not pictures."""

    def __str__(self) -> str:
        told = f"{self.name}: {len(self.training):,} pictures to train on, {len(self.held_out):,} held out"
        if self.others:
            named = ", ".join(path.name for path in self.others[:3]) + (", …" if len(self.others) > 3 else "")
            told += f"; left out, as their names are not a picture's: {len(self.others):,} ({readable(named)})"
        return told


def folders(config: DictConfig) -> list[Folder]:
    """The configured folders, each with its pictures split.

    Raises:
        UserError: one is missing, or holds too few pictures, or none that can be decoded.
    """
    found: list[Folder] = []
    for root in build.roots(config):
        path, _ = apart(root)
        name = readable(path.resolve().name).replace(".", "_") or "pictures"
        free = (f"{name}-{number}" if number > 1 else name for number in itertools.count(1))
        name = next(free_name for free_name in free if free_name not in {folder.name for folder in found})
        pictures, others = find_pictures(root)
        training, held_out = split(pictures, config.data.hold_out)
        if not training or not held_out:
            raise UserError(
                f"data.root={root} holds {len(training) + len(held_out)} pictures, too few to hold out one in "
                f"{config.data.hold_out} and train on the rest; give more, or a smaller data.hold_out"
            )
        for part, what in ((training, "to train on"), (held_out, "held out")):
            if not any(decodes(picture) for picture in part):
                raise UserError(f"data.root={root}: none of its {len(part)} pictures {what} can be decoded")
        found.append(Folder(path, name, training, held_out, others))
    held = {picture.resolve() for folder in found for picture in folder.held_out}
    for folder in found if len(found) > 1 else []:  # which may overlap
        folder.training[:] = [picture for picture in folder.training if picture.resolve() not in held]
        if not folder.training:
            raise UserError(f"data.root={folder.root}: all its pictures are held out of another folder")
    return found


def names(folders: Sequence[Folder]) -> list[str]:
    """The pictures' names and sizes, as a checkpoint records them."""
    return [
        f"{folder.name}/{path.relative_to(folder.root)} {path.stat().st_size}"
        for folder in folders
        for path in (*folder.training, *folder.held_out)
    ]


def crops(
    config: DictConfig,
    folders: Sequence[Folder],
    batches: Iterable[Sequence[int]],
    *,
    size: int | tuple[int, int],
    shorter: int,
    damaged: Damaged,
) -> DataLoader[Any]:
    """The configured crops.

    Args:
        batches: the crops' numbers: `genviz.learning.data.Batches`, from the update that comes next.
        size: side of the crops, or rows and columns, in pixels.
        shorter: pictures are cached with this shorter side, in pixels.
    """
    data = build.plain(config)["data"]
    dataset = build.make(
        {"_target_": "genviz.learning.data.Crops"},
        "data",
        [folder.training for folder in folders],
        size=size,
        shares=data["shares"],
        area=data["area"],
        colour=data["colour"],
        seed=config.seed,
        shorter=shorter,
        memory=int(data["memory"] * 2**30),
        damaged=damaged,
    )
    alone = (os.cpu_count() or 1) <= 2  # a second process would then cost the training more than it saves
    workers = int(not alone) if data["workers"] is None else data["workers"]
    return DataLoader(
        dataset,
        batch_sampler=cast(Any, batches),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=leave_signals_to_the_parent,
    )
