"""Each update's metrics: progress bar, metrics.csv and loggers; stops a training whose loss is no longer finite."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from tqdm.auto import tqdm

from genviz.coupling import Coupling
from genviz.training.callbacks.metrics_file import MetricsFile
from genviz.training.callbacks.rows import Rows


def stop(trainer: pl.Trainer) -> None:
    """End the training after this update, without the validation that Lightning would run first."""
    trainer.should_stop = True
    trainer.limit_val_batches = 0


class Monitor(pl.Callback):
    """Shows, records and watches the ``metrics`` that a ``training_step`` returns, the loss among them.

    They are scalar tensors by name; or a row of numbers, of which the module's own ``metrics`` tells what they are for
    each of its targets. Each target has its own file and fails by itself: one whose loss is no longer finite is not
    recorded further, and the training ends when all have failed.

    Args:
        metrics_files: a CSV for each target, with one row per update; None: not written.
        updates: the total number.
        title: of the progress bar.
        log_every: updates between two logged rows; loggers take a single target.
        reads: tells whether the numbers are read after an update, with those of the updates before; until then they
            stay on their device, and nothing waits for it. None: after each.
        shown: the metrics in the progress bar, each with its number format; averaged over several targets.
        passing: the bar leaves no line behind.
        position: of the bar among those of other processes.

    Attributes:
        failures: why each target's training ended early; None while it is sound.
        fired: for each target, the last update in which its activation was not 0, 0 for none; None if nothing tells.
        seconds: the training time so far, in this process and in those that it resumed.
    """

    def __init__(
        self,
        *,
        metrics_files: Sequence[Path | None],
        updates: int,
        title: str,
        log_every: int,
        shown: Mapping[str, str],
        reads: Callable[[int], bool] | None = None,
        passing: bool = False,
        position: int = 0,
    ) -> None:
        self.updates, self.title, self.log_every, self.shown = updates, title, log_every, shown
        self.reads, self.passing, self.position = reads, passing, position
        self.failures: list[str | None] = [None] * len(metrics_files)
        self.fired: list[int | None] = [None if path is None else 0 for path in metrics_files]
        self.seconds = 0.0
        self._since = 0.0
        self._files = [None if path is None else MetricsFile(path) for path in metrics_files]
        self._bar: tqdm[Any] | None = None
        self._rows, self._names = Rows(), tuple[str, ...]()

    @property
    def failure(self) -> str | None:
        """Why the training of all targets ended early; None while one is sound."""
        return self.failures[0] if None not in self.failures else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for number, file in enumerate(self._files):
            if file is not None and trainer.is_global_zero:
                file.keep(trainer.global_step)
                self.fired[number] = file.last("activation")
        self._bar = tqdm(
            disable=not trainer.is_global_zero,
            total=self.updates,
            initial=trainer.global_step,
            desc=self.title,
            unit="update",
            file=sys.stderr,
            dynamic_ncols=True,
            leave=not self.passing,
            position=self.position or None,
            mininterval=0.25,  # seconds; more often would cost quick updates 0.3 %
        )
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        metrics, update = outputs["metrics"], trainer.global_step
        if isinstance(metrics, Mapping):
            self._names = tuple(metrics)
            metrics = torch.stack([value.detach().double() for value in metrics.values()])
        self._rows.add(update, metrics)
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        last = update == self.updates
        if self.reads is None or last or self.reads(update):
            self.read(trainer, pl_module, wait=self.reads is None or last or bool(trainer.loggers))
        if self._bar is not None:
            self._bar.update()

    def read(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, wait: bool) -> None:
        """Read the numbers of the updates so far: record them, and notice which targets have failed.

        Args:
            wait: for the device; otherwise what has not arrived is read the next time.

        Raises:
            UserError: the module finds that no gradient arrives.
        """
        self._rows.send()
        if isinstance(pl_module, Coupling):
            pl_module.check_gradient()
        for update, row in self._rows.arrived(wait=wait):
            self._record(trainer, update, self._named(pl_module, row))
        if self.failure is not None:
            stop(trainer)

    def _named(self, module: pl.LightningModule, row: Sequence[float]) -> list[dict[str, float]]:
        if isinstance(module, Coupling):
            return module.metrics.named(row)
        return [dict(zip(self._names, row, strict=True))]

    def _record(self, trainer: pl.Trainer, update: int, rows: Sequence[Mapping[str, float]]) -> None:
        for number, row in enumerate(rows):
            if self.failures[number] is None and not math.isfinite(row["loss"]):
                self.failures[number] = f"the loss became {row['loss']} at update {update}"
        sound = [number for number, failure in enumerate(self.failures) if failure is None]
        if not sound or not trainer.is_global_zero:
            return
        for number in sound:
            if (file := self._files[number]) is not None:
                file.add({"update": update, **rows[number]})
                self.fired[number] = update if rows[number].get("activation") else self.fired[number]
        if update % self.log_every == 0 or update == self.updates:
            for logger in trainer.loggers:
                logger.log_metrics(dict(rows[0]), step=update)
        assert self._bar is not None
        numbers = [
            f"{name} {sum(rows[n][name] for n in sound) / len(sound):{form}}" for name, form in self.shown.items()
        ]
        self._bar.set_postfix_str(", ".join(numbers), refresh=False)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in measured.items())
        tqdm.write(f"{self.title}, update {trainer.global_step}: {numbers}", file=sys.stderr)
        for logger in trainer.loggers:
            logger.log_metrics(measured, step=trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.read(trainer, pl_module, wait=True)
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        for file in self._files:
            if file is not None:
                file.close()
        self._bar = None
