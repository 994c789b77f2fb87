"""The numbers of each update: progress bar, metrics.csv, loggers, and an end when they are no numbers any more."""

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
    """End the training after this update, without the validation that Lightning would make first."""
    trainer.should_stop = True
    trainer.limit_val_batches = 0


class Monitor(pl.Callback):
    """Shows, records and watches what a ``training_step`` measures, by name in ``metrics``, its loss among it.

    A batch of several targets measures a list of such metrics. Each target has a file and an end of its own: one whose
    loss is no number any more is left alone, and the training ends with the last.

    Args:
        metrics_files: a CSV for each target, with one row an update; None for none.
        updates: how many there will be.
        title: what the progress bar is called.
        log_every: updates between two rows of the loggers, which take a single target.
        shown: the metrics in the progress bar, each with the format of its number; the mean of several targets.
        passing: the bar leaves no line behind.
        position: of the bar among those of other processes.

    Attributes:
        failures: why a target's training ended early; None while it is sound.
        seconds: what the training has taken, in this process and in those that it resumed.
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
        """Why the training of all its targets ended early; None while one is sound."""
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
    """The rows as numbers, fetched from their device at once."""
    values = iter(torch.stack([value.detach().double() for row in rows for value in row.values()]).tolist())
    return [{name: next(values) for name in row} for row in rows]
