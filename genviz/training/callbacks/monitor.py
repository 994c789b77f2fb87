"""Each update's metrics: progress bar, metrics.csv and loggers; stops a training whose loss is no longer finite."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from tqdm.auto import tqdm

from genviz.training.callbacks.metrics_file import MetricsFile


def stop(trainer: pl.Trainer) -> None:
    """End the training after this update, without the validation that Lightning would run first."""
    trainer.should_stop = True
    trainer.limit_val_batches = 0


class Monitor(pl.Callback):
    """Shows, records and watches the named ``metrics`` that a ``training_step`` returns, the loss among them.

    A batch of several targets returns a list of such metrics. Each target has its own file and fails by itself: one
    whose loss is no longer finite is not recorded further, and the training ends when all have failed.

    Args:
        metrics_files: a CSV for each target, with one row per update; None: not written.
        updates: the total number.
        title: of the progress bar.
        log_every: updates between two logged rows; loggers take a single target.
        shown: the metrics in the progress bar, each with its number format; averaged over several targets.
        passing: the bar leaves no line behind.
        position: of the bar among those of other processes.

    Attributes:
        failures: why each target's training ended early; None while it is sound.
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
        passing: bool = False,
        position: int = 0,
    ) -> None:
        self.updates, self.title, self.log_every, self.shown = updates, title, log_every, shown
        self.passing, self.position = passing, position
        self.failures: list[str | None] = [None] * len(metrics_files)
        self.seconds = 0.0
        self._since = 0.0
        self._files = [None if path is None else MetricsFile(path) for path in metrics_files]
        self._bar: tqdm[Any] | None = None

    @property
    def failure(self) -> str | None:
        """Why the training of all targets ended early; None while one is sound."""
        return self.failures[0] if None not in self.failures else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for file in self._files:
            if file is not None and trainer.is_global_zero:
                file.keep(trainer.global_step)
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
        )
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        update = trainer.global_step
        measured = outputs["metrics"] if isinstance(outputs["metrics"], list) else [outputs["metrics"]]
        rows = [{"update": update, **row} for row in _numbers(measured)]
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        for number, row in enumerate(rows):
            if self.failures[number] is None and not math.isfinite(row["loss"]):
                self.failures[number] = f"the loss became {row['loss']} at update {update}"
        sound = [number for number, failure in enumerate(self.failures) if failure is None]
        if not sound:
            stop(trainer)
            return
        if not trainer.is_global_zero:
            return
        for number in sound:
            if (file := self._files[number]) is not None:
                file.add(rows[number])
        if update % self.log_every == 0 or update == self.updates:
            for logger in trainer.loggers:
                logger.log_metrics({name: value for name, value in rows[0].items() if name != "update"}, step=update)
        assert self._bar is not None
        numbers = [
            f"{name} {sum(rows[n][name] for n in sound) / len(sound):{form}}" for name, form in self.shown.items()
        ]
        self._bar.set_postfix_str(", ".join(numbers), refresh=False)
        self._bar.update()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or not trainer.is_global_zero:
            return
        measured = {name: float(value) for name, value in trainer.callback_metrics.items()}
        numbers = ", ".join(f"{name} {value:.3f}" for name, value in measured.items())
        tqdm.write(f"{self.title}, update {trainer.global_step}: {numbers}", file=sys.stderr)
        for logger in trainer.loggers:
            logger.log_metrics(measured, step=trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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


def _numbers(rows: Sequence[Mapping[str, Tensor]]) -> list[dict[str, float]]:
    """The rows as numbers, fetched from their device in one transfer."""
    values = iter(torch.stack([value.detach().double() for row in rows for value in row.values()]).tolist())
    return [{name: next(values) for name in row} for row in rows]
