"""A distillation, from a folder of pictures to a file of weights and how far it agrees with its teacher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader

import genviz
from genviz import build
from genviz.callbacks.checkpoints import Checkpoints
from genviz.callbacks.monitor import Monitor
from genviz.checkpoint import KEY, check_identity, read_checkpoint
from genviz.classifiers.embedded import export, input_space
from genviz.classifiers.frozen import FrozenClassifier
from genviz.data import Batches, Centres, Crops, find_pictures, split
from genviz.distillation import Distillation
from genviz.errors import UserError
from genviz.files import prepare_folder, set_aside, sha256, write_text
from genviz.loggers import WandbRun
from genviz.memory import keep_freed_memory
from genviz.runs.trainer import close, make_trainer

_SHOWN = {"loss": ".2f", "explained/maps": ".2f", "divergence": ".2f"}


class Folder(NamedTuple):
    """The pictures of one folder."""

    name: str
    training: list[Path]
    held_out: list[Path]


def distill(config: DictConfig) -> int:
    """Train the configured student on its teacher; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or the checkpoint is of another run.
    """
    keep_freed_memory()
    outputs = Path(config.paths.outputs).expanduser() / "distill" / config.name
    checkpoint = Path(config.paths.checkpoints).expanduser() / "distill" / config.name / "last.ckpt"
    folders = _folders(config)
    found = read_checkpoint(checkpoint) if config.resume and checkpoint.exists() else None
    teacher = build.classifier(config.teacher)
    identity = build.identity_of_distillation(config, teacher.weights_sha256)
    if found is not None:
        check_identity(checkpoint, identity, found)
    updates = 0 if found is None else int(found["global_step"])
    module = _module(config, teacher, [folder.name for folder in folders])
    record: dict[str, Any] = {"config": build.plain(config), "identity": identity, "genviz": genviz.__version__}
    monitor = Monitor(
        metrics_file=outputs / "metrics.csv",
        updates=config.updates,
        title=config.name,
        log_every=config.log_every,
        shown=_SHOWN,
    )
    checkpoints = Checkpoints(
        path=checkpoint, every=config.checkpoint_every, updates=config.updates, record=record, monitor=monitor
    )
    settings = build.plain(config)["trainer"] | {
        "val_check_interval": config.validate_every,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
    }
    trainer = make_trainer(settings, [monitor, checkpoints], updates=config.updates)
    if not config.resume:  # only now, when everything could be made
        for path in (checkpoint, outputs):
            set_aside(path)
    for folder in (outputs, checkpoint.parent):
        prepare_folder(folder)
    write_text(outputs / "config.yaml", build.as_yaml(config))
    _begins(config, folders, teacher, module, updates)
    run_id = None if found is None else found[KEY]["wandb_run_id"]
    trainer.loggers = build.loggers(config, folder=outputs, run_id=run_id, group="distill", name=config.name)
    record["wandb_run_id"] = next((run.run_id for run in trainer.loggers if isinstance(run, WandbRun)), run_id)
    for logger in trainer.loggers:
        logger.log_hyperparams(record["config"])
    pictures = _whole(folders, module.examiner.outline.input_size[0])
    crops = _crops(config, folders, updates, teacher.outline.input_size[0])
    trainer.fit(module, crops, pictures, ckpt_path=None if found is None else str(checkpoint))
    if checkpoints.signal is not None and trainer.global_step < config.updates:
        print(f"{checkpoints.signal.name} after update {trainer.global_step}, saved: {checkpoint}; ", end="")
        print("the same command goes on from there")
        close(trainer.loggers)
        return 128 + checkpoints.signal
    if monitor.failure is not None:
        close(trainer.loggers)
        raise UserError(
            f"{monitor.failure}; the last checkpoint is sound; try optimizer.lr={config.optimizer.lr / 3:g}"
        )
    _finish(config, folders, module, trainer, monitor, outputs, pictures)
    return 0


def _folders(config: DictConfig) -> list[Folder]:
    names: list[str] = []
    folders = []
    for root in build.roots(config):
        name = Path(root).expanduser().resolve().name
        names.append(name)
        name = name if names.count(name) == 1 else f"{name}-{names.count(name)}"
        training, held_out = split(find_pictures(root), config.data.hold_out)
        folders.append(Folder(name.replace(".", "_"), training, held_out))
    return folders


def _module(config: DictConfig, teacher: FrozenClassifier, held_out: list[str]) -> Distillation:
    pl.seed_everything(config.seed, verbose=False)
    settings = build.plain(config)
    own = {**settings["teacher"], "input_size": None}
    student = {key: value for key, value in settings["student"].items() if key != "input_size"}
    module = build.make(
        {"_target_": "genviz.distillation.Distillation"},
        "distillation",
        teacher=teacher,
        examiner=build.classifier(own),
        student=build.make(student, "student", classes=len(teacher.outline.labels), batch_norm=True),
        input_space=input_space(),
        final_size=config.student.input_size,
        optimizer=build.optimizer(config),
        updates=config.updates,
        held_out=held_out,
        **settings["distillation"],
    )
    assert isinstance(module, Distillation)
    return module.to(memory_format=torch.channels_last)


def _crops(config: DictConfig, folders: list[Folder], updates: int, size: int) -> DataLoader[Any]:
    data = config.data
    crops = Crops(
        [folder.training for folder in folders],
        size=size,
        shares=data.shares,
        area=tuple(data.area),
        colour=data.colour,
        seed=config.seed,
        memory=int(data.memory * 2**30),
    )
    batches: Any = Batches(updates, config.batch)
    workers = data.workers
    return DataLoader(crops, batch_sampler=batches, num_workers=workers, prefetch_factor=4 if workers else None)


def _whole(folders: list[Folder], size: int) -> list[DataLoader[Any]]:
    """The pictures held out, whole, as the teachers were validated: the shorter side an eighth above the crop."""
    return [
        DataLoader(Centres(folder.held_out, size=size, shorter=round(size * 256 / 227)), batch_size=50)
        for folder in folders
    ]


def _begins(
    config: DictConfig, folders: list[Folder], teacher: FrozenClassifier, module: Distillation, updates: int
) -> None:
    weights = sum(parameter.numel() for parameter in module.student.parameters())
    print(f"{config.name}: a plain network of {weights:,} parameters learns from {teacher.weights_source}")
    for folder in folders:
        print(f"{folder.name}: {len(folder.training):,} pictures to train on, {len(folder.held_out):,} held out")
    if 0 < updates < config.updates:
        print(f"going on after update {updates} of {config.updates} (resume=false starts over)")


def _finish(
    config: DictConfig,
    folders: list[Folder],
    module: Distillation,
    trainer: pl.Trainer,
    monitor: Monitor,
    outputs: Path,
    pictures: list[DataLoader[Any]],
) -> None:
    measured = trainer.validate(module, pictures, verbose=False)
    agreement = {name: round(value, 4) for part in measured for name, value in part.items()}
    path = outputs / f"{config.name}.safetensors"
    teacher = module.teacher
    facts = {
        "teacher": teacher.weights_source,
        "teacher_sha256": teacher.weights_sha256,
        "data": {folder.name: len(folder.training) for folder in folders},
        "held_out": {folder.name: len(folder.held_out) for folder in folders},
        "agreement": agreement,
        "updates": trainer.global_step,
        "batch": config.batch,
        "hours": round(monitor.seconds / 3600, 2),
        "settings": build.plain(config)["distillation"],
        "genviz": genviz.__version__,
        "torch": torch.__version__,
    }
    export(module.student, path, input_size=config.student.input_size, facts=facts)
    result = {"weights": path.name, "sha256": sha256(path), **facts}
    close(trainer.loggers)
    write_text(outputs / "result.json", json.dumps(result, indent=2) + "\n")
    print(f"\nagreement with {teacher.weights_source} on the pictures held out:")
    for name, value in agreement.items():
        print(f"  {value:6.3f}  {name}")
    print(f"weights  {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"use them: python train.py target=class:harmonica classifier=embedded classifier.weights={path}", flush=True)
