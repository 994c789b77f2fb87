"""The numbers of each update: progress bar, metrics.csv, loggers, and an end when they are no numbers any more."""

from __future__ import annotations

import csv
import io
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import pytorch_lightning as pl
from tqdm import tqdm

from genviz.errors import UserError
from genviz.files import write_text


def stop(trainer: pl.Trainer) -> None:
    """End the training after this update, without the validation that Lightning would make first."""
    trainer.should_stop = True
    trainer.limit_val_batches = 0


class Monitor(pl.Callback):
    """Shows, records and watches what a ``training_step`` measures: its loss, and by name in ``metrics``.

    Args:
        metrics_file: a CSV with one row an update, flushed as it grows; after a resume it goes on where the
            checkpoint stood; None for none.
        updates: how many there will be.
        title: what the progress bar is called.
        log_every: updates between two rows of the loggers.
        shown: the metrics in the progress bar, each with the format of its number.

    Attributes:
        failure: why the training ended early; None while it is sound.
        seconds: what the training has taken, in this process and in those that it resumed.
    """

    def __init__(
        self, *, metrics_file: Path | None, updates: int, title: str, log_every: int, shown: Mapping[str, str]
    ) -> None:
        self.metrics_file, self.updates, self.title, self.log_every = metrics_file, updates, title, log_every
        self.shown = shown
        self.failure: str | None = None
        self.seconds = 0.0
        self._since = 0.0
        self._file: IO[str] | None = None
        self._bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            self._keep_rows(trainer.global_step)
        self._bar = tqdm(
            disable=not trainer.is_global_zero,
            total=self.updates,
            initial=trainer.global_step,
            desc=self.title,
            unit="update",
            file=sys.stderr,
            dynamic_ncols=True,
        )
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        update = trainer.global_step
        row = {"update": update} | {name: float(value) for name, value in outputs["metrics"].items()}
        now = time.monotonic()
        self.seconds, self._since = self.seconds + now - self._since, now
        if not math.isfinite(row["loss"]):
            self.failure = f"the loss became {row['loss']} at update {update}"
            stop(trainer)
            return
        if not trainer.is_global_zero:
            return
        self._write(row)
        if update % self.log_every == 0 or update == self.updates:
            for logger in trainer.loggers:
                logger.log_metrics({name: value for name, value in row.items() if name != "update"}, step=update)
        assert self._bar is not None
        self._bar.set_postfix_str(
            ", ".join(f"{name} {row[name]:{form}}" for name, form in self.shown.items()), refresh=False
        )
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

    def _write(self, row: dict[str, float]) -> None:
        if self.metrics_file is None:
            return
        try:
            if self._file is None:
                new = not self.metrics_file.exists() or self.metrics_file.stat().st_size == 0
                self._file = self.metrics_file.open("a", newline="", encoding="utf-8", buffering=1)
                if new:
                    csv.writer(self._file).writerow(row)
            csv.writer(self._file).writerow(row.values())
        except OSError as error:
            raise UserError(
                f"cannot write {self.metrics_file}: {error.strerror}; free some space or choose another folder"
            ) from error

    def _keep_rows(self, updates: int) -> None:
        """Forget what was measured after the checkpoint that goes on."""
        if self.metrics_file is None:
            return
        if updates == 0:
            self.metrics_file.unlink(missing_ok=True)
        if not self.metrics_file.exists():
            return
        kept = io.StringIO()
        writer = csv.writer(kept)
        for row in csv.reader(io.StringIO(self.metrics_file.read_text(encoding="utf-8"))):
            if row and (not row[0].isdigit() or int(row[0]) <= updates):
                writer.writerow(row)
        write_text(self.metrics_file, kept.getvalue())

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        if self._file is not None:
            self._file.close()
        self._bar = self._file = None
