"""A distillation of a plain network, from folders of pictures to a file of its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.small import SmallClassifier, export, input_space
from genviz.interfaces import SCORES
from genviz.learning import picture_folders
from genviz.learning.data import Batches, Damaged
from genviz.learning.distillation import student
from genviz.learning.distillation.agreement import Agreements
from genviz.learning.distillation.distillation import Distillation, class_maps
from genviz.learning.picture_folders import Folder
from genviz.learning.picture_training import Training
from genviz.training import build, fingerprint

_SHOWN = {"loss": ".2f", "explained/maps": ".2f", "divergence": ".2f"}


def distill(config: DictConfig) -> int:
    """Train a small network on its teacher; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    class_maps(build.sketch(config.teacher))  # before its weights are fetched
    folders = picture_folders.folders(config)
    teacher = build.classifier(config.teacher)
    training = Training(
        config,
        "distill",
        updates=config.updates,
        identity=fingerprint.of_distillation(
            config, {"teacher": teacher.weights_sha256}, picture_folders.names(folders)
        ),
        shown=_SHOWN,
    )
    path = training.outputs / f"{config.name}.safetensors"
    if training.is_done(path):
        print(f"{config.name} is done, {training.updates:,} updates: {path} (resume=false starts over)")
        return 0
    module = _module(config, teacher, [folder.name for folder in folders])
    damaged = Damaged(path for folder in folders for path in (*folder.training, *folder.held_out))
    crops = picture_folders.crops(
        config,
        folders,
        Batches(training.updates, config.batch),
        size=teacher.outline.input_size[0],
        shorter=256,
        damaged=damaged,
    )
    _begins(config, folders, module)
    whole = [student.whole(folder, module.examiner.outline.input_size[0], damaged) for folder in folders]
    with training.claimed():
        code = training.run(module, crops, whole)
        if code is None:
            _finish(config, folders, whole, module, training, path)
    return code or 0


def _module(config: DictConfig, teacher: FrozenClassifier, held_out: list[str]) -> Distillation:
    pl.seed_everything(config.seed, verbose=False)
    settings = build.plain(config)
    network = {key: value for key, value in settings["student"].items() if key != "input_size"}
    module = build.make(
        {"_target_": "genviz.learning.distillation.distillation.Distillation", **settings["distillation"]},
        "distillation",
        teacher=teacher,
        examiner=build.classifier({**settings["teacher"], "input_size": None}),
        student=build.make(network, "student", classes=len(teacher.outline.labels), batch_norm=True),
        input_space=input_space(),
        final_size=config.student.input_size,
        optimizer=build.optimizer(config),
        updates=config.updates,
        held_out=held_out,
    )
    assert isinstance(module, Distillation)
    module.configure_optimizers()  # checks its settings before anything is written
    return module.to(memory_format=torch.channels_last)


def _begins(config: DictConfig, folders: Sequence[Folder], module: Distillation) -> None:
    weights = sum(parameter.numel() for parameter in module.student.parameters())
    print(f"{config.name}: a plain network of {weights:,} parameters, taught by {module.teacher.weights_source}")
    print(*folders, sep="\n", flush=True)


def _finish(
    config: DictConfig,
    folders: Sequence[Folder],
    whole: Sequence[DataLoader[Any]],
    module: Distillation,
    training: Training,
    path: Path,
) -> None:
    teacher = module.examiner.cpu()
    labels = list(teacher.outline.labels)
    facts = student.facts(
        config,
        folders,
        training,
        teacher=teacher.weights_source,
        teacher_sha256=teacher.weights_sha256,
    )
    size = config.student.input_size
    export(module.student, path, input_size=size, facts=facts)
    written = SmallClassifier(weights=str(path), labels=labels)
    facts["agreement"] = _agreement(written, teacher, folders, whole)
    export(module.student, path, input_size=size, facts=facts)  # the same weights, now with how good they are
    student.tell(training, path, facts)
    student.tell_use(training.outputs, labels, f"classifier=small classifier.weights={path}")


@torch.no_grad()
def _agreement(
    written: SmallClassifier, teacher: FrozenClassifier, folders: Sequence[Folder], whole: Sequence[DataLoader[Any]]
) -> dict[str, float]:
    measured = Agreements(len(teacher.outline.labels), [folder.name for folder in folders])
    for folder, batches in zip(folders, whole, strict=True):
        for batch in tqdm(batches, desc="measuring the file", unit="batch", leave=False):
            images = batch.float() / 255
            if len(images):
                measured.add(folder.name, written(images, [SCORES])[SCORES], teacher(images, [SCORES])[SCORES])
    return {name: round(float(value), 4) for name, value in measured.take().items()}
