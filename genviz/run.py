"""A run: one target, from its folders and its last checkpoint to the picture and the verdict."""

from __future__ import annotations

import json
import logging
import platform
import shutil
import signal
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torchvision
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

import genviz
from genviz import build
from genviz.callbacks.checkpoints import Checkpoints
from genviz.callbacks.monitor import Monitor
from genviz.callbacks.snapshots import Snapshots
from genviz.checkpoint import KEY, AtomicCheckpointIO, check_identity, read_checkpoint
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.files import set_aside, write_text
from genviz.images import display, write_png
from genviz.interfaces import Classifier, Generator
from genviz.loggers import WandbRun, log_result
from genviz.memory import keep_freed_memory
from genviz.targets import Target
from genviz.verdict import Verdict, judge

_HARMLESS = (
    ".*does not have many workers.*",  # the updates need no data
    ".*ended before the epoch ended.*",
    ".*in eval mode at the start of training.*",  # the frozen classifier
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch
    ".*GPU available but not used.*",
)


@dataclass(frozen=True)
class Places:
    """Where a run keeps what it makes."""

    outputs: Path
    checkpoint: Path

    @classmethod
    def of(cls, config: DictConfig, target: Target) -> Places:
        """``<root>/<classifier>/<generator>/<target>/`` in both roots."""
        names = build.names(config)
        rest = Path(names.classifier) / names.generator / target.folder
        return cls(Path(config.paths.outputs) / rest, Path(config.paths.checkpoints) / rest / "last.ckpt")

    @property
    def picture(self) -> Path:
        """The picture that the verdict is about."""
        return self.outputs / "final.png"

    @property
    def result(self) -> Path:
        """The verdict and the numbers; there once the run is done."""
        return self.outputs / "result.json"


def train(config: DictConfig, target: Target, *, callbacks: Sequence[pl.Callback] = ()) -> int:
    """Train the configured generator until ``target`` fires; return the program's exit code.

    Args:
        callbacks: more of them, called after ours.

    Raises:
        UserError: a setting cannot work, or the target's checkpoint is of another run.
    """
    keep_freed_memory()
    places = Places.of(config, target)
    if not config.resume:
        for path in (places.checkpoint, places.outputs):
            set_aside(path)
    checkpoint = read_checkpoint(places.checkpoint) if places.checkpoint.exists() else None
    classifier = build.classifier(config)
    identity = build.identity(config, target, classifier.weights_sha256)
    updates = 0
    if checkpoint is not None:
        check_identity(places.checkpoint, identity, checkpoint)
        updates = checkpoint["global_step"]
        if updates >= config.updates and places.result.exists():
            _say_done(places, target, updates)
            return 0
    pl.seed_everything(config.seed, verbose=False)
    generator = build.generator(config)
    _say_what(config, target, classifier, generator, updates)
    coupling = Coupling(
        generator=generator,
        classifier=classifier,
        objective=build.objective(config, target, classifier.outline),
        target=target,
        optimizer=build.optimizer(config),
        regularizers=build.regularizers(config),
        transforms=build.transforms(config),
    )
    write_text(places.outputs / "config.yaml", build.as_yaml(config))
    loggers = _loggers(config, places, target, checkpoint)
    for logger in loggers:
        logger.log_hyperparams(build.plain(config))
    run_id = next((logger.run_id for logger in loggers if isinstance(logger, WandbRun)), None)
    record = {"config": build.plain(config), "identity": identity, "wandb_run_id": run_id, "genviz": genviz.__version__}
    monitor = Monitor(
        metrics_file=places.outputs / "metrics.csv",
        updates=config.updates,
        title=str(target),
        log_every=config.log_every,
    )
    snapshots = Snapshots(
        folder=places.outputs, every=config.snapshot_every, updates=config.updates, how=config.display
    )
    checkpoints = Checkpoints(
        path=places.checkpoint, every=config.checkpoint_every, updates=config.updates, record=record, monitor=monitor
    )
    trainer = _trainer(config, loggers, [monitor, snapshots, checkpoints, *callbacks])
    resumed = str(places.checkpoint) if checkpoint is not None else None
    steps: Any = range(config.updates)  # all the data that a coupling needs
    trainer.fit(coupling, DataLoader(steps, batch_size=None), ckpt_path=resumed)
    if checkpoints.signal is not None and trainer.global_step < config.updates:
        _say_stopped(places, checkpoints.signal, trainer.global_step)
        _close(loggers)
        return 128 + checkpoints.signal
    _finish(config, places, target, coupling, trainer, monitor, snapshots)
    return 0


def _trainer(config: DictConfig, loggers: list[Logger], callbacks: list[pl.Callback]) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for harmless in _HARMLESS:
        warnings.filterwarnings("ignore", harmless)
    try:
        return pl.Trainer(
            **build.plain(config)["trainer"],
            max_steps=config.updates,
            min_epochs=0,
            max_epochs=-1,
            logger=loggers or False,
            callbacks=callbacks,
            plugins=[AtomicCheckpointIO()],
            log_every_n_steps=1,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"trainer: {str(error).splitlines()[0]}; such as trainer.accelerator=cpu trainer.devices=1"
        ) from error


def _loggers(config: DictConfig, places: Places, target: Target, checkpoint: dict[str, Any] | None) -> list[Logger]:
    if not config.logger:
        return []
    run_id = checkpoint[KEY]["wandb_run_id"] if checkpoint is not None else None
    group = "/".join(build.names(config))
    return [
        build.make(
            config.logger, "logger", folder=places.outputs, run_id=run_id, group=group, name=f"{target} on {group}"
        )
    ]


def _finish(
    config: DictConfig,
    places: Places,
    target: Target,
    coupling: Coupling,
    trainer: pl.Trainer,
    monitor: Monitor,
    snapshots: Snapshots,
) -> None:
    updates, loggers = trainer.global_step, trainer.loggers
    names = build.names(config)
    metadata = {"Software": f"genviz {genviz.__version__}", "target": str(target), "classifier": names.classifier}
    metadata |= {"generator": names.generator, "seed": str(config.seed), "updates": str(updates)}
    pixels = display(coupling.settled()[0], config.display)
    if monitor.failure is None:
        write_png(places.picture, pixels, metadata)
    else:
        shutil.copyfile(snapshots.pictures()[-1], places.picture)
    verdict = judge(places.picture, coupling.classifier, target, failure=monitor.failure)
    result = {
        "target": str(target),
        "classifier": names.classifier,
        "weights": coupling.classifier.weights_source,
        "weights_sha256": coupling.classifier.weights_sha256,
        "generator": names.generator,
        "trainable_parameters": sum(p.numel() for p in coupling.generator.parameters() if p.requires_grad),
        "updates": updates,
        "seed": config.seed,
        **verdict.as_dict(),
        "display": config.display,
        "seconds_per_update": monitor.seconds / max(updates, 1),
        "device": str(trainer.strategy.root_device),
        "versions": {
            "genviz": genviz.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "pytorch_lightning": pl.__version__,
        },
    }
    for logger in loggers:
        log_result(logger, result, places.picture, updates)
    run = next((logger.where for logger in loggers if isinstance(logger, WandbRun)), None)
    _close(loggers)
    write_text(places.result, json.dumps(result, indent=2) + "\n")
    _say_verdict(places, verdict, run or (f"logged by {config.logger._target_}" if loggers else "not logged"))


def _close(loggers: list[Logger]) -> None:
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbRun):
            logger.experiment.finish()


def _say_what(config: DictConfig, target: Target, classifier: Classifier, generator: Generator, updates: int) -> None:
    names = build.names(config)
    trainable = sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)
    print(
        f"{target}: {names.generator} ({trainable:,} trainable parameters) coupled to {names.classifier} "
        f"({classifier.weights_source})"
    )
    made, seen = generator.image_size, classifier.outline.input_size
    if made != seen:
        print(
            f"the picture, {made[0]} x {made[1]}, is resized to the {seen[0]} x {seen[1]} that {names.classifier} sees"
        )
    if updates:
        print(f"going on after update {updates} of {config.updates} (resume=false starts over)")
    sys.stdout.flush()


def _say_done(places: Places, target: Target, updates: int) -> None:
    print(f"{target} is done, {updates} updates: {places.picture}, {places.result} (resume=false starts over)")


def _say_stopped(places: Places, which: signal.Signals, updates: int) -> None:
    print(f"{which.name} after update {updates}, saved: {places.checkpoint}; the same command goes on from there")


def _say_verdict(places: Places, verdict: Verdict, run: str) -> None:
    print(f"\n{verdict.verdict}: {verdict.explanation}")
    print(f"measured on the picture as written: activation {verdict.activation:.3f}, rank {verdict.rank}")
    for score in verdict.top_classes:
        print(f"  {score.probability:7.2%}  {score.label} ({score.number})")
    print(f"picture     {places.picture}\ncheckpoint  {places.checkpoint}\nrun         {run}", flush=True)
