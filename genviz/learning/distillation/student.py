"""What all distillations share: the held-out pictures, and the facts and results that are written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader

import genviz
from genviz.classifiers.labels import labels_of
from genviz.files import sha256, write_text
from genviz.learning.data import Centres, Damaged, stack
from genviz.learning.picture_folders import Folder
from genviz.learning.picture_training import Training
from genviz.training import build
from genviz.training.loggers import WandbRun
from genviz.training.trainer import close


def whole(folder: Folder, size: int, damaged: Damaged, batch: int = 50) -> DataLoader[Any]:
    """The held-out pictures, whole, as in the teachers' validation: the shorter side an eighth above the crop."""
    pictures = Centres(folder.held_out, size=size, shorter=round(size * 256 / 227), damaged=damaged)
    own = torch.Generator()  # otherwise each validation would draw one of the training's random numbers
    return DataLoader(pictures, batch_size=batch, collate_fn=stack, generator=own)


def facts(
    config: DictConfig, folders: Sequence[Folder], training: Training, *, teacher: str, teacher_sha256: str
) -> dict[str, Any]:
    """How a student was trained, without its agreement with the teacher."""
    return {
        "teacher": teacher,
        "teacher_sha256": teacher_sha256,
        "data": {folder.name: len(folder.training) for folder in folders},
        "held_out": {folder.name: len(folder.held_out) for folder in folders},
        "updates": training.trainer.global_step,
        "batch": config.batch,
        "hours": round(training.monitor.seconds / 3600, 2),
        "settings": build.plain(config)["distillation"],
        "genviz": genviz.__version__,
        "torch": torch.__version__,
    }


def tell(training: Training, path: Path, facts: Mapping[str, Any]) -> None:
    """Write the result of a training that produced the file ``path``, and print how good it is."""
    loggers = training.trainer.loggers
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.summarize(facts)
    close(loggers)
    result = {"weights": path.name, "sha256": sha256(path), **facts}
    write_text(training.result, json.dumps(result, indent=2) + "\n")
    print(f"\nagreement of the file with {facts['teacher']}, on the held-out pictures:")
    for name, value in facts["agreement"].items():
        print(f"  {value:6.3f}  {name}")
    print(f"weights  {path}  ({path.stat().st_size / 1e6:.1f} MB)")


def tell_use(folder: Path, labels: Sequence[str], classifier: str) -> None:
    """Print how to draw with the file; labels that are not ImageNet's are written to ``folder``, to be given with it.

    Args:
        classifier: the words that name the classifier.
    """
    target = "class:harmonica"
    if tuple(labels) != labels_of("vgg16", None):
        target, named = "class:0", folder / "labels.json"
        write_text(named, json.dumps(list(labels), indent=2) + "\n")
        classifier += f" classifier.labels={named}"
    print(f"to use:  target={target} {classifier}", flush=True)
