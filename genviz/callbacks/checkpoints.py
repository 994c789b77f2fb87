"""Checkpoints every so often, at the end, and before a signal ends the program."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from genviz.callbacks.monitor import Monitor, stop
from genviz.checkpoint import FORMAT, KEY, restore_rng_states, rng_states


class Checkpoints(pl.Callback):
    """Saves everything that the next update depends on, so that a resumed training ends in the same bits.

    SIGINT and SIGTERM end the training after the update at hand, saved; a second one ends it at once.

    Args:
        path: the file, replaced atomically each time.
        every: updates between two.
        updates: how many there will be.
        record: what else a checkpoint holds: config, identity, run id; plain data.
        monitor: knows the failure, after which nothing is saved, and the seconds.

    Attributes:
        signal: the signal that ended the training; None for none.
    """

    def __init__(self, *, path: Path, every: int, updates: int, record: Mapping[str, Any], monitor: Monitor) -> None:
        self.path, self.every, self.updates, self.record, self.monitor = path, every, updates, record, monitor
        self.signal: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._rng: Mapping[str, Any] | None = None

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._rng = checkpoint[KEY]["rng"]
        self.monitor.seconds = checkpoint[KEY]["seconds"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        checkpoint[KEY] = {**self.record, "format": FORMAT, "rng": rng_states(), "seconds": self.monitor.seconds}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for which in (signal.SIGINT, signal.SIGTERM):
            self._handlers[which] = signal.signal(which, self._notice)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._rng is not None:  # only now: making the data loader's iterator has drawn a number
            restore_rng_states(self._rng)
            self._rng = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.monitor.failure is not None:
            return
        update = trainer.global_step
        due = update % self.every == 0 or update == self.updates or self.signal is not None
        if due and all(bool(value.isfinite().all()) for value in pl_module.state_dict().values()):
            trainer.save_checkpoint(self.path)
        if self.signal is not None:
            stop(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for which, handler in self._handlers.items():
            signal.signal(which, handler)
        self._handlers.clear()

    def _notice(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)
