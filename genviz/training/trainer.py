"""Lightning's trainer as every program of genviz sets it up."""

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
    """A trainer that makes ``updates``, writes nothing of its own and says nothing but errors.

    Args:
        settings: arguments of Lightning's, from the configuration.
        checkpoint_io: writes and reads its checkpoints; None for a file each.

    Raises:
        UserError: Lightning does not take them, or this machine lacks what they ask for.
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
            use_distributed_sampler=False,  # what each process takes is divided already
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(
            f"trainer: {str(error).splitlines()[0]}; such as trainer.accelerator=cpu trainer.devices=1"
        ) from error


def fit(trainer: pl.Trainer, coupling: pl.LightningModule, updates: int) -> None:
    """Make ``updates``, which need no data.

    Raises:
        KeyboardInterrupt: so it was; Lightning would end the process.
    """
    try:
        trainer.fit(coupling, DataLoader(range(updates), batch_size=None))  # type: ignore[arg-type]
    except SystemExit as error:
        if trainer.interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from error
        raise


def close(loggers: Sequence[Logger]) -> None:
    """End the loggers' runs; everything is on the disk then."""
    for logger in loggers:
        logger.finalize("success")
        if isinstance(logger, WandbRun):
            logger.experiment.finish()
