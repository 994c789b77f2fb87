"""A run: one target, from its folders and its last checkpoint to the picture and the verdict."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
import torchvision
from omegaconf import DictConfig
from torch import Tensor
from torch.utils.data import DataLoader

import genviz
from genviz import build, identity, report
from genviz.callbacks.checkpoints import Checkpoints
from genviz.callbacks.monitor import Monitor
from genviz.callbacks.snapshots import Snapshots
from genviz.checkpoint import KEY, check_identity, read_checkpoint
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.files import prepare_folder, set_aside, write_text
from genviz.images import display, display_row, read_image, write_png
from genviz.interfaces import SCORES, Classifier
from genviz.loggers import WandbRun, log_result
from genviz.memory import keep_freed_memory
from genviz.runs.trainer import close, make_trainer
from genviz.schedules import falling
from genviz.targets import Target
from genviz.verdict import Verdict, judge


class Callbacks(NamedTuple):
    """What happens beside every training, in this order after each update."""

    monitor: Monitor
    snapshots: Snapshots
    checkpoints: Checkpoints


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
        return cls(
            Path(config.paths.outputs).expanduser() / rest,
            Path(config.paths.checkpoints).expanduser() / rest / "last.ckpt",
        )

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
    found = read_checkpoint(places.checkpoint) if config.resume and places.checkpoint.exists() else None
    classifier = build.classifier(config.classifier)
    build.settle(config, target, classifier)
    coupling = _couple(config, target, classifier)
    alike = identity.of_training(config, target, classifier.weights_sha256, coupling.generator.weights_sha256)
    updates = 0
    if found is not None:
        check_identity(places.checkpoint, alike, found)
        updates = found["global_step"]
        if updates >= config.updates and places.result.exists() and places.picture.exists():
            report.done(places.picture, target, updates, build.names(config).note)
            return 0
    record: dict[str, Any] = {"config": build.plain(config), "identity": alike, "genviz": genviz.__version__}
    ours = _callbacks(config, places, target, record, ranked=coupling.objective.ranked)
    trainer = make_trainer(build.plain(config)["trainer"], [*ours, *callbacks], updates=config.updates)
    if not config.resume:  # only now, when everything could be made
        for path in (places.checkpoint, places.outputs):
            set_aside(path)
    for folder in (places.outputs, places.checkpoint.parent, places.outputs / "snapshots"):
        prepare_folder(folder)
    places.result.unlink(missing_ok=True)  # of fewer updates
    write_text(places.outputs / "config.yaml", build.as_yaml(config))
    report.begins(build.names(config), target, coupling.generator, classifier, updates, config.updates)
    known = found[KEY]["wandb_run_id"] if found is not None else None
    names = build.names(config)
    group = f"{names.classifier}/{names.generator}"
    title = f"{target} on {group}"
    trainer.loggers = build.loggers(config, folder=places.outputs, run_id=known, group=group, name=title)
    record["wandb_run_id"] = next((run.run_id for run in trainer.loggers if isinstance(run, WandbRun)), known)
    for logger in trainer.loggers:
        logger.log_hyperparams(record["config"])
    steps: Any = range(config.updates)  # all the data that a coupling needs
    resumed = None if found is None else str(places.checkpoint)
    trainer.fit(coupling, DataLoader(steps, batch_size=None), ckpt_path=resumed)
    if ours.checkpoints.signal is not None and trainer.global_step < config.updates:
        report.stopped(places.checkpoint, ours.checkpoints.signal, trainer.global_step, names)
        close(trainer.loggers)
        return 128 + ours.checkpoints.signal
    _finish(config, places, target, coupling, trainer, ours)
    return 0


def _couple(config: DictConfig, target: Target, classifier: Classifier) -> Coupling:
    pl.seed_everything(config.seed, verbose=False)
    streams = build.streams(config)
    coupling = Coupling(
        generator=build.generator(config, streams),
        classifier=classifier,
        objective=build.objective(config, target, classifier.outline),
        target=target,
        optimizer=build.optimizer(config),
        regularizers=build.regularizers(config),
        transforms=build.transforms(config),
        schedule=None if config.lr_end == 1 else falling(config.updates, config.lr_end),
        streams=streams,
    )
    streams.skip()
    _check_sizes(coupling)
    coupling.configure_optimizers()  # its settings are looked at before anything is written
    return coupling


@torch.no_grad()
def _check_sizes(coupling: Coupling) -> None:
    """See that a classifier that does not resize pictures can look at these.

    Raises:
        UserError: it cannot.
    """
    classifier, generator = coupling.classifier, coupling.generator
    if classifier.outline.resizes:
        return
    wanted = (*coupling.objective.layers, *coupling.target.layers)
    for size, layers in ((generator.smallest_size, wanted), (generator.image_size, (*wanted, SCORES))):
        try:
            classifier(torch.zeros(1, 3, *size), tuple(dict.fromkeys(layers)))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise UserError(
                f"the classifier cannot look at {size[0]} x {size[1]} pixels ({str(error)[:80]}); "
                "give it larger pictures, generator.size=320 for instance, or classifier.resize=true"
            ) from error


def _callbacks(
    config: DictConfig, places: Places, target: Target, record: dict[str, Any], *, ranked: bool
) -> Callbacks:
    updates = config.updates
    monitor = Monitor(
        metrics_file=places.outputs / "metrics.csv",
        updates=updates,
        title=str(target),
        log_every=config.log_every,
        shown={"activation": ".2f", "rank": ".0f", "loss": ".2f"} if ranked else {"score": ".4g", "loss": ".4g"},
    )
    snapshots = Snapshots(
        folder=places.outputs, every=build.plain(config)["snapshot_every"], updates=updates, how=config.display
    )
    checkpoints = Checkpoints(
        path=places.checkpoint, every=config.checkpoint_every, updates=updates, record=record, monitor=monitor
    )
    return Callbacks(monitor, snapshots, checkpoints)


def _finish(
    config: DictConfig,
    places: Places,
    target: Target,
    coupling: Coupling,
    trainer: pl.Trainer,
    callbacks: Callbacks,
) -> None:
    updates, loggers, monitor = trainer.global_step, trainer.loggers, callbacks.monitor
    names = build.names(config)
    metadata = {"Software": f"genviz {genviz.__version__}", "target": str(target), "classifier": names.classifier}
    metadata |= {"generator": names.generator, "seed": str(config.seed), "updates": str(updates)}
    metadata |= {} if names.note is None else {"note": names.note}
    pixels = _picture(config, coupling, callbacks, updates)
    write_png(places.picture, pixels, metadata)
    verdicts = _verdicts(config, places, target, coupling, pixels, metadata, monitor.failure)
    verdict = verdicts[0][1]
    result = {
        "target": str(target),
        "classifier": names.classifier,
        "weights": coupling.classifier.weights_source,
        "weights_sha256": coupling.classifier.weights_sha256,
        "generator": names.generator,
        "generator_sha256": coupling.generator.weights_sha256,
        "trainable_parameters": sum(p.numel() for p in coupling.generator.parameters() if p.requires_grad),
        "updates": updates,
        "seed": config.seed,
        "note": names.note,
        **verdict.as_dict(),
        **({} if len(verdicts) == 1 else {"images": [{"file": f, **v.as_dict()} for f, v in verdicts]}),
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
    close(loggers)
    write_text(places.result, json.dumps(result, indent=2) + "\n")
    where = run or ("logged" if loggers else "not logged")
    report.ends(verdicts, names.note, places.picture, places.checkpoint, where)


def _verdicts(
    config: DictConfig,
    places: Places,
    target: Target,
    coupling: Coupling,
    pixels: Tensor,
    metadata: dict[str, str],
    failure: str | None,
) -> list[tuple[str, Verdict]]:
    """A verdict on each image, and the file that it is about; several, side by side, get a file each."""
    count = len(coupling.streams)
    files = [places.picture]
    if count > 1:
        files = [places.outputs / f"final-{config.seed + number}.png" for number in range(count)]
        for number, (file, image) in enumerate(zip(files, pixels.chunk(count, 1), strict=True)):
            write_png(file, image, {**metadata, "seed": str(config.seed + number)})
    begun = places.outputs / "snapshots" / "00000.png"
    firsts = read_image(begun).chunk(count, 3) if begun.exists() else [None] * count
    return [
        (file.name, judge(file, coupling.classifier, target, coupling.objective, first=first, failure=failure))
        for file, first in zip(files, firsts, strict=True)
    ]


def _picture(config: DictConfig, coupling: Coupling, callbacks: Callbacks, updates: int) -> Tensor:
    """The settled pictures (h, n w, 3), bytes; or the median of the last snapshots; or the last sound one."""
    images, monitor = coupling.settled(), callbacks.monitor
    if monitor.failure is None and not images.isfinite().all():
        monitor.failure = f"the picture was no number any more after update {updates}"
    sound = callbacks.snapshots.pictures()
    if monitor.failure is None:  # not the one before the training, nor the last one of a shorter training
        moments = callbacks.snapshots.moments - {0}
        sound = [path for path in sound if int(path.stem) in moments and int(path.stem) <= updates]
    if (monitor.failure is None and config.median == 1) or not sound:
        return display_row(images, config.display)
    last = 1 if monitor.failure is not None else config.median
    shown = torch.cat([read_image(path) for path in sound[-last:]])
    return display(shown.quantile(0.5, dim=0))
