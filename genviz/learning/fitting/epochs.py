"""epochs.csv: what a training measures after each epoch."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from genviz.learning.fitting.classification import ACCURACY, LOSS, VALIDATION_ACCURACY, VALIDATION_LOSS
from genviz.training.callbacks.metrics_file import MetricsFile

COLUMNS = {"loss": LOSS, "accuracy": ACCURACY, "val_loss": VALIDATION_LOSS, "val_accuracy": VALIDATION_ACCURACY}
"""The columns after update and epoch, with the names under which they are logged."""


class Epochs(pl.Callback):
    """Writes a row after each validation; a training that is resumed continues the file.

    Args:
        path: of the CSV.
        updates: of an epoch.
    """

    def __init__(self, path: Path, updates: int) -> None:
        self.file, self.updates = MetricsFile(path), updates

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            step = trainer.global_step
            self.file.keep(step - step % self.updates)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit" and trainer.is_global_zero:
            measured = {column: float(trainer.callback_metrics[name]) for column, name in COLUMNS.items()}
            step = trainer.global_step
            self.file.add({"update": step, "epoch": step // self.updates, **measured})

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.file.close()
