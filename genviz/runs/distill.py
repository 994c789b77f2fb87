"""A distillation, from folders of pictures to a file of weights and how far it agrees with its teacher."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from tqdm import tqdm

import genviz
from genviz import build, identity
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.small import SmallClassifier, export, input_space
from genviz.data import Centres, Damaged, stack
from genviz.distillation import Distillation, agreement, class_maps, compare
from genviz.files import sha256, write_text
from genviz.interfaces import SCORES
from genviz.loggers import WandbRun
from genviz.memory import keep_freed_memory
from genviz.runs import pictures
from genviz.runs.pictures import Folder
from genviz.runs.trainer import close
from genviz.runs.training import Training

_SHOWN = {"loss": ".2f", "explained/maps": ".2f", "divergence": ".2f"}


def distill(config: DictConfig) -> int:
    """Train the configured student on its teacher; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    keep_freed_memory()
    class_maps(build.sketch(config.teacher))  # before its weights are fetched
    folders = pictures.folders(config)
    teacher = build.classifier(config.teacher)
    training = Training(
        config,
        "distill",
        updates=config.updates,
        identity=identity.of_distillation(config, teacher.weights_sha256, pictures.names(folders)),
        shown=_SHOWN,
    )
    module = _module(config, teacher, [folder.name for folder in folders])
    damaged = Damaged(path for folder in folders for path in (*folder.training, *folder.held_out))
    crops = pictures.crops(
        config,
        folders,
        updates=training.updates,
        size=teacher.outline.input_size[0],
        shorter=256,
        damaged=damaged,
    )
    _begins(config, folders, module)
    whole = [_whole(folder, module.examiner.outline.input_size[0], damaged) for folder in folders]
    code = training.run(module, crops, whole)
    if code is None:
        _finish(config, folders, whole, module, training)
    return code or 0


def _module(config: DictConfig, teacher: FrozenClassifier, held_out: list[str]) -> Distillation:
    pl.seed_everything(config.seed, verbose=False)
    settings = build.plain(config)
    student = {key: value for key, value in settings["student"].items() if key != "input_size"}
    module = build.make(
        {"_target_": "genviz.distillation.Distillation"},
        "distillation",
        teacher=teacher,
        examiner=build.classifier({**settings["teacher"], "input_size": None}),
        student=build.make(student, "student", classes=len(teacher.outline.labels), batch_norm=True),
        input_space=input_space(),
        final_size=config.student.input_size,
        optimizer=build.optimizer(config),
        updates=config.updates,
        held_out=held_out,
        **settings["distillation"],
    )
    assert isinstance(module, Distillation)
    module.configure_optimizers()  # its settings are looked at before anything is written
    return module.to(memory_format=torch.channels_last)


def _whole(folder: Folder, size: int, damaged: Damaged) -> DataLoader[Any]:
    """The pictures held out, whole, as the teachers were validated: the shorter side an eighth above the crop."""
    whole = Centres(folder.held_out, size=size, shorter=round(size * 256 / 227), damaged=damaged)
    own = torch.Generator()  # or each validation would draw a number that the training would have drawn
    return DataLoader(whole, batch_size=50, collate_fn=stack, generator=own)


def _begins(config: DictConfig, folders: Sequence[Folder], module: Distillation) -> None:
    weights = sum(parameter.numel() for parameter in module.student.parameters())
    print(f"{config.name}: a plain network of {weights:,} parameters learns from {module.teacher.weights_source}")
    print(*folders, sep="\n", flush=True)


def _finish(
    config: DictConfig,
    folders: Sequence[Folder],
    whole: Sequence[DataLoader[Any]],
    module: Distillation,
    training: Training,
) -> None:
    teacher, path = module.examiner.cpu(), training.outputs / f"{config.name}.safetensors"
    trainer, monitor = training.trainer, training.monitor
    facts: dict[str, Any] = {
        "teacher": teacher.weights_source,
        "teacher_sha256": teacher.weights_sha256,
        "data": {folder.name: len(folder.training) for folder in folders},
        "held_out": {folder.name: len(folder.held_out) for folder in folders},
        "updates": trainer.global_step,
        "batch": config.batch,
        "hours": round(monitor.seconds / 3600, 2),
        "settings": build.plain(config)["distillation"],
        "genviz": genviz.__version__,
        "torch": torch.__version__,
    }
    size = config.student.input_size
    export(module.student, path, input_size=size, facts=facts)
    written = SmallClassifier(weights=str(path), labels=config.teacher.labels)
    measured: dict[str, float] = {}
    for folder, batches in zip(folders, whole, strict=True):
        numbers = _agreement(written, teacher, batches)
        measured |= {f"{folder.name}/{name}": round(value, 4) for name, value in numbers.items()}
    facts["agreement"] = measured
    export(module.student, path, input_size=size, facts=facts)  # the same weights, which now say how good they are
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.experiment.summary.update(facts)
    close(trainer.loggers)
    result = {"weights": path.name, "sha256": sha256(path), **facts}
    write_text(training.result, json.dumps(result, indent=2) + "\n")
    print(f"\nagreement of the file with {teacher.weights_source}, on the pictures held out:")
    for name, value in measured.items():
        print(f"  {value:6.3f}  {name}")
    print(f"weights  {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"use them: target=class:harmonica classifier=small classifier.weights={path}", flush=True)


@torch.no_grad()
def _agreement(student: SmallClassifier, teacher: FrozenClassifier, pictures: DataLoader[Any]) -> dict[str, float]:
    measures = agreement(len(teacher.outline.labels))
    for batch in tqdm(pictures, desc="measuring the file", unit="batch", leave=False):
        images = batch.float() / 255
        if len(images):
            compare(measures, student(images, [SCORES])[SCORES], teacher(images, [SCORES])[SCORES])
    return {name: float(value) for name, value in measures.compute().items()}
