"""A batch of targets that are trained together, each with the result that it would have alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from signal import Signals
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from genviz.coupling import Coupling
from genviz.errors import UserError, out_of_memory
from genviz.images.pictures import display, read_image, side_by_side
from genviz.interfaces import SCORES
from genviz.optimizers.schedules import falling
from genviz.training import portraits
from genviz.training.allocator import keep_freed_memory
from genviz.training.callbacks.checkpoints import Checkpoints
from genviz.training.callbacks.monitor import Monitor
from genviz.training.callbacks.snapshots import Snapshots
from genviz.training.checkpoint import Apart, AtomicCheckpointIO, BatchCheckpointIO
from genviz.training.compiled import CompiledSteps
from genviz.training.parts import Parts
from genviz.training.precision import tf32
from genviz.training.run import Run
from genviz.training.signals import ENDING
from genviz.training.trainer import fit, make_trainer, one_device
from genviz.training.verdict import Verdict, judge_images
from genviz.training.writers import Writers


class Finished(NamedTuple):
    """The outcome of one target."""

    run: Run
    verdicts: list[tuple[str, Verdict]]
    """For each picture, its file name and its verdict."""
    result: dict[str, Any]


class Batch:
    """A batch of runs that are trained together, sharing one generator and each pass through the classifier.

    Args:
        runs: at the same update, with settings that differ only in the target.
        callbacks: additional ones, called after genviz's own.
        title: of the progress bar; None: the target, in a bar that stays on the screen.
        position: of the bar among those of other processes.
        parts: to couple; None: the configured ones.
        steps: compile the updates, and keep what was compiled for other batches; None: not compiled.
        ended_by: the signals that end the training.

    Raises:
        UserError: a setting cannot work.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        callbacks: Sequence[pl.Callback] = (),
        title: str | None = None,
        position: int = 0,
        parts: Parts | None = None,
        steps: CompiledSteps | None = None,
        ended_by: Sequence[Signals] = ENDING,
    ) -> None:
        keep_freed_memory()
        self.runs, self.title, self.position = runs, title, position
        self.config, self.classifier = runs[0].config, runs[0].classifier
        self.parts = parts or Parts(self.config)
        self.records = [run.record for run in runs]
        self.coupling, self.writers = self._couple(), Writers()
        self.coupling.compiled = steps
        self.monitor, self.snapshots, self._checkpoints = self._callbacks(ended_by)
        self.trainer = make_trainer(
            one_device(runs[0].settings["trainer"], self.config.worker),
            [self.monitor, self.snapshots, self._checkpoints, *callbacks],
            updates=self.config.updates,
            checkpoint_io=self._checkpoint_io(),
        )
        self._device = self.trainer.strategy.root_device
        if self.config.together or (self.config.together is None and self._device.type != "cpu"):
            self.writers.start()

    @property
    def noticed(self) -> Signals | None:
        """The signal that arrived during training, if any."""
        return self._checkpoints.signal

    @property
    def signal(self) -> Signals | None:
        """The signal that ended the training early, if any."""
        return self.noticed if self.trainer.global_step < self.config.updates else None

    def fit(self, loggers: Sequence[Logger] = ()) -> None:
        """Run the remaining updates.

        Args:
            loggers: only for a batch of a single run.
        """
        self.trainer.loggers = list(loggers)
        resumed = self.runs[0].folders.checkpoint if self.runs[0].continues else None
        try:
            with tf32(self.config.tf32, self._device):
                fit(self.trainer, self.coupling, self.config.updates, resumed=resumed, stays=True)
            self.writers.wait()
        except BaseException:
            self.writers.abandon()
            raise

    def finish(self) -> list[Finished]:
        """Write each run's picture and measure it; return the outcomes, of which videos may not be complete yet."""
        updates, count = self.trainer.global_step, len(self.runs)
        trainable = sum(p.numel() for p in self.coupling.generator.parameters() if p.requires_grad)
        images = self.coupling.settled()
        finite = images.isfinite().reshape(count, -1).all(1).tolist()
        failures = [
            told if told is not None or is_finite else f"the picture was no longer finite after update {updates}"
            for told, is_finite in zip(self.monitor.failures, finite, strict=True)
        ]
        pixels = display(images, self.config.display).cpu().chunk(count)

        def write(number: int) -> list[Path]:
            return self.runs[number].write(self._picture(number, pixels[number], failures[number] is None), updates)

        try:
            files = self.writers.map(write, range(count))
            judged = iter(self._judged(files, failures))
        except BaseException:
            self.writers.abandon()
            raise
        measured = {
            "trainable_parameters": trainable // count,
            "updates": updates,
            "seconds_per_update": self.monitor.seconds / max(updates, 1) / count,
            "device": str(self._device),
        }
        finished = []
        for run, own in zip(self.runs, files, strict=True):
            portraits.draw(run)
            verdicts = [(file.name, next(judged)) for file in own]
            finished.append(Finished(run, verdicts, run.result(verdicts, **measured)))
        return finished

    def _judged(self, files: Sequence[Sequence[Path]], failures: Sequence[str | None]) -> list[Verdict]:
        """The verdicts on the files of each run, as read back from the disk."""
        written = self.writers.map(read_image, [file for own in files for file in own])
        return judge_images(
            torch.cat(written),
            self.classifier,
            self.coupling.targets,
            self.coupling.objective,
            firsts=[first for run in self.runs for first in run.firsts],
            failures=[failure for failure, own in zip(failures, files, strict=True) for _ in own],
            fired=[
                update if len(run.target.units) == 1 else None  # of several, one may be dead and others not
                for run, update, own in zip(self.runs, self.monitor.fired, files, strict=True)
                for _ in own
            ],
            at_once=len(written) if self.coupling.is_together else 1,
        )

    def _couple(self) -> Coupling:
        config, classifier, parts = self.config, self.classifier, self.parts
        pl.seed_everything(config.seed, verbose=False)
        streams = parts.streams(len(self.runs))
        targets = [run.target for run in self.runs]
        coupling = Coupling(
            generator=parts.generator(streams),
            classifier=classifier,
            objective=parts.objective(targets, classifier.outline),
            target=targets,
            optimizer=parts.optimizer(),
            regularizers=parts.regularizers(),
            transforms=parts.transforms(),
            schedule=(
                None
                if config.lr_end == 1 and not config.lr_rise
                else falling(config.updates, config.lr_end, config.lr_rise)
            ),
            streams=streams,
            together=config.together,
            autocast=config.autocast,
        )
        streams.skip()
        _check_sizes(coupling)
        coupling.configure_optimizers()  # checks its settings before anything is written
        return coupling

    def _callbacks(self, ended_by: Sequence[Signals]) -> tuple[Monitor, Snapshots, Checkpoints]:
        config, folders = self.config, [run.folders.outputs for run in self.runs]
        log_every, checkpoint_every = config.log_every, config.checkpoint_every  # looking one up takes microseconds
        ranked = self.coupling.objective.ranked
        every = self.runs[0].settings["snapshot_every"]
        snapshots = Snapshots(
            folders=folders,
            every=every,
            updates=config.updates,
            how=config.display,
            median=config.median,
            writers=self.writers,
        )

        def reads(update: int) -> bool:
            due = update % log_every == 0 or update % checkpoint_every == 0
            return due or update in snapshots.moments or not self.coupling.is_together

        monitor = Monitor(
            metrics_files=[folder / "metrics.csv" for folder in folders],
            updates=config.updates,
            title=self.title or str(self.runs[0].target),
            log_every=log_every,
            shown={"activation": ".2f", "rank": ".0f", "loss": ".2f"} if ranked else {"score": ".4g", "loss": ".4g"},
            reads=reads,
            passing=self.title is not None,
            position=self.position,
        )
        checkpoints = Checkpoints(
            path=self.runs[0].folders.checkpoint,
            every=checkpoint_every,
            updates=config.updates,
            record=self.records[0],
            monitor=monitor,
            ended_by=ended_by,
        )
        return monitor, snapshots, checkpoints

    def _checkpoint_io(self) -> AtomicCheckpointIO:
        if len(self.runs) == 1:
            return AtomicCheckpointIO(self.writers)
        targets = [Apart(run.folders.checkpoint, record) for run, record in zip(self.runs, self.records, strict=True)]
        return BatchCheckpointIO(
            targets, lambda: [failure is not None for failure in self.monitor.failures], self.writers
        )

    def _picture(self, number: int, pixels: Tensor, sound: bool) -> Tensor:
        """A row of pictures (h, n w, 3): the settled ones (n, h, w, 3), the median of snapshots, or the last sound."""
        updates = self.trainer.global_step
        taken = self.snapshots.pictures(number)
        if sound:  # not the initial one, nor the last one of an earlier, shorter training
            moments = self.snapshots.moments - {0}
            taken = [path for path in taken if int(path.stem) in moments and int(path.stem) <= updates]
        if (sound and self.config.median == 1) or not taken:
            return side_by_side(pixels)
        shown = torch.cat([read_image(path) for path in taken[-(self.config.median if sound else 1) :]])
        return display(shown.quantile(0.5, dim=0))


@torch.no_grad()
def _check_sizes(coupling: Coupling) -> None:
    """Check that a classifier that does not resize its input can process pictures of these sizes.

    Raises:
        UserError: it cannot.
    """
    classifier, generator = coupling.classifier, coupling.generator
    if classifier.outline.resizes:
        return
    wanted = (*coupling.objective.layers, *coupling.targets.layers)
    for size, layers in ((generator.smallest_size, wanted), (generator.image_size, (*wanted, SCORES))):
        try:
            classifier(torch.zeros(1, 3, *size, device=classifier.device), tuple(dict.fromkeys(layers)))
        except (RuntimeError, AssertionError, ValueError) as error:
            if out_of_memory(error):
                raise
            raise UserError(
                f"the classifier cannot process {size[0]} x {size[1]} pixels ({str(error)[:80]}); "
                "use larger pictures, such as generator.size=320, or classifier.resize=true"
            ) from error
