"""Lightning's trainer, as every genviz command sets it up."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.utils.data import DataLoader

from genviz.errors import UserError
from genviz.training.checkpoint import AtomicCheckpointIO
from genviz.training.loggers import WandbRun

_HARMLESS = (
    ".*does not have many workers.*",  # the updates need no data
    ".*ended before the epoch ended.*",
    ".*in eval mode at the start of training.*",  # the frozen classifier
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch
    ".*GPU available but not used.*",
    ".*sync_dist=True.*",  # the metrics are synchronized already
)


def make_trainer(
    settings: Mapping[str, Any],
    callbacks: Sequence[pl.Callback],
    *,
    updates: int,
    checkpoint_io: AtomicCheckpointIO | None = None,
) -> pl.Trainer:
    """A trainer that runs for ``updates`` updates, writes no files and prints only errors.

    Args:
        settings: Lightning's arguments, from the configuration.
        checkpoint_io: writes and reads its checkpoints; None: one file each.

    Raises:
        UserError: Lightning rejects the settings, or this machine lacks what they ask for.
    """
    for library in ("pytorch_lightning", "lightning_fabric", "lightning.fabric"):
        logging.getLogger(library).setLevel(logging.WARNING)
    for harmless in _HARMLESS:
        warnings.filterwarnings("ignore", harmless)
    try:
        return pl.Trainer(
            **settings,
            max_steps=updates,
            min_epochs=0,
            max_epochs=-1,
            logger=False,
            callbacks=list(callbacks),
            plugins=[checkpoint_io or AtomicCheckpointIO()],
            log_every_n_steps=1,
            use_distributed_sampler=False,  # the data are already divided among the processes
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"trainer: {str(error).splitlines()[0]}; try trainer.accelerator=cpu trainer.devices=1"
        ) from error


def fit(trainer: pl.Trainer, coupling: pl.LightningModule, updates: int) -> None:
    """Train for ``updates`` updates, which need no data.

    Raises:
        KeyboardInterrupt: on an interrupt, where Lightning itself would end the process.
    """
    try:
        trainer.fit(coupling, DataLoader(range(updates), batch_size=None))  # type: ignore[arg-type]
    except SystemExit as error:
        if trainer.interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from error
        raise


def close(loggers: Sequence[Logger]) -> None:
    """End the loggers' runs, with everything written to disk."""
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbRun):
            logger.experiment.finish()
