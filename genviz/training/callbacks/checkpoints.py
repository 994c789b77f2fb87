"""Checkpoints at intervals, at the end, and before a signal ends the program."""

from __future__ import annotations

import math
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.files import put_aside
from genviz.training.callbacks.monitor import Monitor, stop
from genviz.training.checkpoint import FORMAT, KEY, read_checkpoint, restore_rng_states, rng_states
from genviz.training.signals import ENDING, noticing


class Checkpoints(pl.Callback):
    """Saves everything that the next update depends on, so that a resumed training ends with the same bits.

    A signal saves and ends the training after the current update; a second SIGINT ends it at once. With several
    processes, a signal to any of them ends them all.

    Args:
        path: the file, replaced atomically each time.
        every: updates between two checkpoints.
        updates: the total number.
        record: what else a checkpoint holds: config, identity, run id; plain data.
        monitor: knows the elapsed seconds, and of a failure, after which nothing is saved.
        validate_every: updates between two validations; a checkpoint that is due then is written after the validation,
            so that none is lost; None: no validation.
        best: another file, for the state that validated best; None: not kept.
        measure: the validation metric for ``best``; larger is better.
        ended_by: the signals that end the training.

    Attributes:
        signal: the signal that ended the training, if any.
        most: the best ``measure`` so far.
    """

    def __init__(
        self,
        *,
        path: Path,
        every: int,
        updates: int,
        record: Mapping[str, Any],
        monitor: Monitor,
        validate_every: int | None = None,
        best: Path | None = None,
        measure: str = "",
        ended_by: Sequence[signal.Signals] = ENDING,
    ) -> None:
        self.path, self.every, self.updates, self.record, self.monitor = path, every, updates, record, monitor
        self.validate_every, self.best, self.measure, self.most = validate_every, best, measure, -math.inf
        self.signal: signal.Signals | None = None
        self._ended_by, self._handling, self._noticed = ended_by, ExitStack(), list[signal.Signals]()
        self._ends = False
        self._rng: Mapping[str, Any] | None = None

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._rng = checkpoint[KEY]["rng"]
        self.monitor.seconds = checkpoint[KEY]["seconds"]
        self.most = checkpoint[KEY].get("best", -math.inf)
        if self.best is not None and self.most > -math.inf and not self._best_is_sound(self.best):
            if trainer.is_global_zero:
                put_aside(self.best, "is damaged")
                tqdm.write("the best state so far is lost; the best from here on will be kept", file=sys.stderr)
            self.most = -math.inf

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        ours = {"format": FORMAT, "rng": rng_states(), "seconds": self.monitor.seconds, "best": self.most}
        ours["ended"] = (
            trainer.should_stop and self.signal is None
        )  # by another callback, which found that it is enough
        checkpoint[KEY] = {**self.record, **ours}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._noticed = self._handling.enter_context(noticing(self._ended_by))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._rng is not None:  # only now: creating the data loader's iterator draws a number
            restore_rng_states(self._rng)
            self._rng = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.monitor.failure is not None:
            return
        ends = bool(self._noticed)
        if trainer.world_size > 1:  # decided once: a signal may arrive at any moment, and all must agree
            ends = trainer.strategy.reduce_boolean_decision(ends, all=False)
        if ends:
            self.signal = self._noticed[0] if self._noticed else signal.SIGTERM
        self._ends = ends
        validates = self.validate_every is not None and trainer.global_step % self.validate_every == 0
        if validates:
            trainer.should_stop |= ends
        else:
            self._save(trainer, pl_module, due=ends)
            if ends:
                stop(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit" or self.monitor.failure is not None:
            return
        if self.best is not None and (measured := float(trainer.callback_metrics[self.measure])) > self.most:
            self.most = measured
            trainer.save_checkpoint(self.best)
        self._save(trainer, pl_module, due=self._ends or trainer.should_stop)  # by another callback

    def _best_is_sound(self, path: Path) -> bool:
        try:
            return path.exists() and bool(read_checkpoint(path))
        except UserError:
            return False

    def _save(self, trainer: pl.Trainer, module: pl.LightningModule, *, due: bool) -> None:
        update = trainer.global_step
        if due or update % self.every == 0 or update == self.updates:
            self.monitor.read(trainer, module, wait=True)  # which targets have failed by now
            if self.monitor.failure is None:
                trainer.save_checkpoint(self.path)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._handling.close()
