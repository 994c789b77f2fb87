"""A distillation, from folders of pictures to a file of weights and how far it agrees with its teacher."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader
from tqdm import tqdm

import genviz
from genviz import build
from genviz.callbacks.checkpoints import Checkpoints
from genviz.callbacks.monitor import Monitor
from genviz.checkpoint import KEY, check_identity, read_checkpoint
from genviz.classifiers.embedded import EmbeddedClassifier, export, input_space
from genviz.classifiers.frozen import FrozenClassifier
from genviz.data import Batches, Centres, find_pictures, leave_signals_to_the_parent, split, stack
from genviz.distillation import Distillation, agreement, class_maps, compare
from genviz.errors import UserError
from genviz.files import prepare_folder, set_aside, sha256, write_text
from genviz.interfaces import SCORES
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
    class_maps(build.sketch(config.teacher))  # before its weights are fetched
    folders = _folders(config)
    found = read_checkpoint(checkpoint) if config.resume and checkpoint.exists() else None
    teacher = build.classifier(config.teacher)
    pictures = [f"{folder.name}/{path.name}" for folder in folders for path in (*folder.training, *folder.held_out)]
    identity = build.identity_of_distillation(config, teacher.weights_sha256, pictures)
    if found is not None:
        check_identity(checkpoint, identity, found, apart="name=NAME")
    updates = 0 if found is None else int(found["global_step"])
    module = _module(config, teacher, [folder.name for folder in folders])
    crops = _crops(config, folders, updates, teacher.outline.input_size[0])
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
    validation = {
        "val_check_interval": config.validate_every,
        "check_val_every_n_epoch": None,
        "num_sanity_val_steps": 0,
    }
    settings = build.plain(config)["trainer"] | validation
    trainer = make_trainer(settings, [monitor, checkpoints], updates=config.updates)
    if not config.resume:  # only now, when everything could be made
        for path in (checkpoint, outputs):
            set_aside(path)
    for folder in (outputs, checkpoint.parent):
        prepare_folder(folder)
    write_text(outputs / "config.yaml", build.as_yaml(config))
    _begins(config, folders, module, updates)
    run_id = None if found is None else found[KEY]["wandb_run_id"]
    trainer.loggers = build.loggers(config, folder=outputs, run_id=run_id, group="distill", name=config.name)
    record["wandb_run_id"] = next((run.run_id for run in trainer.loggers if isinstance(run, WandbRun)), run_id)
    for logger in trainer.loggers:
        logger.log_hyperparams(record["config"])
    whole = [_whole(folder, module.examiner.outline.input_size[0]) for folder in folders]
    trainer.fit(module, crops, whole, ckpt_path=None if found is None else str(checkpoint))
    if checkpoints.signal is not None and trainer.global_step < config.updates:
        print(f"{checkpoints.signal.name} after update {trainer.global_step}, saved: {checkpoint}; ", end="")
        print("the same command goes on from there")
        close(trainer.loggers)
        return 128 + checkpoints.signal
    if monitor.failure is not None:
        close(trainer.loggers)
        raise UserError(f"{monitor.failure}; try a smaller learning rate: optimizer.lr=0.001 resume=false")
    _finish(config, folders, whole, module, trainer, monitor, outputs)
    return 0


def _folders(config: DictConfig) -> list[Folder]:
    folders: list[Folder] = []
    for root in build.roots(config):
        name = Path(root).expanduser().resolve().name.replace(".", "_") or "pictures"
        same = sum(folder.name.partition("-")[0] == name for folder in folders)
        training, held_out = split(find_pictures(root), config.data.hold_out)
        if not training or not held_out:
            raise UserError(
                f"data.root={root} holds {len(training) + len(held_out)} pictures, too few to hold one of "
                f"{config.data.hold_out} out and train on the rest; give more, or a smaller data.hold_out"
            )
        folders.append(Folder(f"{name}-{same + 1}" if same else name, training, held_out))
    return folders


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


def _crops(config: DictConfig, folders: Sequence[Folder], updates: int, size: int) -> DataLoader[Any]:
    data = build.plain(config)["data"]
    crops = build.make(
        {"_target_": "genviz.data.Crops"},
        "data",
        [folder.training for folder in folders],
        size=size,
        shares=data["shares"],
        area=data["area"],
        colour=data["colour"],
        seed=config.seed,
        memory=int(data["memory"] * 2**30),
    )
    batches: Any = Batches(updates, config.batch)
    return DataLoader(
        crops,
        batch_sampler=batches,
        num_workers=data["workers"],
        prefetch_factor=4 if data["workers"] else None,
        worker_init_fn=leave_signals_to_the_parent,
    )


def _whole(folder: Folder, size: int) -> DataLoader[Any]:
    """The pictures held out, whole, as the teachers were validated: the shorter side an eighth above the crop."""
    pictures = Centres(folder.held_out, size=size, shorter=round(size * 256 / 227))
    own = torch.Generator()  # or each validation would draw a number that the training would have drawn
    return DataLoader(pictures, batch_size=50, collate_fn=stack, generator=own)


def _begins(config: DictConfig, folders: Sequence[Folder], module: Distillation, updates: int) -> None:
    weights = sum(parameter.numel() for parameter in module.student.parameters())
    print(f"{config.name}: a plain network of {weights:,} parameters learns from {module.teacher.weights_source}")
    for folder in folders:
        print(f"{folder.name}: {len(folder.training):,} pictures to train on, {len(folder.held_out):,} held out")
    if 0 < updates < config.updates:
        print(f"going on after update {updates} of {config.updates} (resume=false starts over)", flush=True)


def _finish(
    config: DictConfig,
    folders: Sequence[Folder],
    whole: Sequence[DataLoader[Any]],
    module: Distillation,
    trainer: pl.Trainer,
    monitor: Monitor,
    outputs: Path,
) -> None:
    teacher, path = module.examiner.cpu(), outputs / f"{config.name}.safetensors"
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
    written = EmbeddedClassifier(weights=str(path), labels=config.teacher.labels)
    measured: dict[str, float] = {}
    for folder, pictures in zip(folders, whole, strict=True):
        numbers = _agreement(written, teacher, pictures)
        measured |= {f"{folder.name}/{name}": round(value, 4) for name, value in numbers.items()}
    facts["agreement"] = measured
    export(module.student, path, input_size=size, facts=facts)  # the same weights, which now say how good they are
    for logger in trainer.loggers:
        if isinstance(logger, WandbRun):
            logger.experiment.summary.update(facts)
    close(trainer.loggers)
    result = {"weights": path.name, "sha256": sha256(path), **facts}
    write_text(outputs / "result.json", json.dumps(result, indent=2) + "\n")
    print(f"\nagreement of the file with {teacher.weights_source}, on the pictures held out:")
    for name, value in measured.items():
        print(f"  {value:6.3f}  {name}")
    print(f"weights  {path}  ({path.stat().st_size / 1e6:.1f} MB)")
    print(f"use them: target=class:harmonica classifier=embedded classifier.weights={path}", flush=True)


@torch.no_grad()
def _agreement(student: EmbeddedClassifier, teacher: FrozenClassifier, pictures: DataLoader[Any]) -> dict[str, float]:
    measures = agreement(len(teacher.outline.labels))
    for batch in tqdm(pictures, desc="measuring the file", unit="batch", leave=False):
        images = batch.float() / 255
        if len(images):
            compare(measures, student(images, [SCORES])[SCORES], teacher(images, [SCORES])[SCORES])
    return {name: float(value) for name, value in measures.compute().items()}
