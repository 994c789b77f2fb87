"""Lightning's trainer, as every genviz command sets it up."""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import PassThroughProfiler
from pytorch_lightning.strategies import Strategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch.utils.data import DataLoader

from genviz.errors import UserError, shown
from genviz.training.checkpoint import AtomicCheckpointIO
from genviz.training.loggers import WandbRun
from genviz.training.signals import EndedError

_HARMLESS = (
    ".*does not have many workers.*",  # the updates need no data
    ".*ended before the epoch ended.*",
    ".*in eval mode at the start of training.*",  # the frozen classifier
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch
    ".*GPU available but not used.*",
    ".*sync_dist=True.*",  # the metrics are synchronized already
    ".*`srun` command is available.*",  # which one process does not need
)


class _Unprofiled(PassThroughProfiler):
    """Lightning's default, without a generator for each of the hundred hooks that an update calls."""

    def profile(self, action_name: str) -> AbstractContextManager[None]:  # type: ignore[override]  # noqa: ARG002
        return nullcontext()


class _Trainer(pl.Trainer):
    """Lightning's; it takes its defaults from variables such as PL_TRAINER_DEVICES, by the class's name."""


def make_trainer(
    settings: Mapping[str, Any],
    callbacks: Sequence[pl.Callback],
    *,
    updates: int,
    checkpoint_io: AtomicCheckpointIO | None = None,
) -> pl.Trainer:
    """A trainer that runs for ``updates`` updates, writes no files and prints only errors.

    One process is alone, whatever a scheduler or a launcher has left in the environment; that is read where the
    settings ask for several.

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
        return _Trainer(
            **{"profiler": _Unprofiled(), **settings},
            max_steps=updates,
            min_epochs=0,
            max_epochs=-1,
            logger=False,
            callbacks=list(callbacks),
            plugins=[checkpoint_io or AtomicCheckpointIO(), *_environment(settings)],
            default_root_dir=os.devnull,  # no folder: in Slurm, Lightning would load a hpc_ckpt_1.ckpt from it
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


def one_device(settings: Mapping[str, Any], worker: int) -> dict[str, Any]:
    """The trainer's settings for a single process: of several cards, each worker has the next."""
    cards = torch.cuda.device_count() if settings["accelerator"] != "cpu" else 0
    return {**settings, "devices": [worker % cards] if cards > 1 else 1}


def _environment(settings: Mapping[str, Any]) -> list[LightningEnvironment | SLURMEnvironment]:
    """What tells a trainer of its processes; none if Lightning should find it itself."""
    devices = settings.get("devices", 1)
    one = len(devices) == 1 if isinstance(devices, list) else devices in (1, "1")
    if one and settings.get("num_nodes", 1) == 1 and settings.get("strategy", "auto") == "auto":
        return [LightningEnvironment()]
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        return [SLURMEnvironment(auto_requeue=False)]  # or it would answer signals itself
    return []


def fit(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    batches: Any,
    held_out: Any = None,
    *,
    resumed: Path | None = None,
    stays: bool = False,
) -> None:
    """Run Lightning's ``fit``.

    Args:
        batches: or how many updates to make, if they need no data.
        held_out: to validate on.
        resumed: the checkpoint to continue from.
        stays: leave the module where it was trained; Lightning would move it to the CPU.

    Raises:
        KeyboardInterrupt: on an interrupt, where Lightning itself would end the process; of SIGTERM, `EndedError`.
        UserError: the checkpoint is whole, but does not hold what it should.
    """
    if isinstance(batches, int):
        batches = DataLoader(range(batches), batch_size=None)  # type: ignore[arg-type]
    begun, answers, teardown = _Begun(), _OwnAnswer(signal.getsignal(signal.SIGTERM)), trainer.strategy.teardown
    if stays:
        trainer.strategy.teardown = partial(_leave, trainer.strategy, teardown)  # type: ignore[method-assign]
    trainer.callbacks[:] = [answers, *trainer.callbacks, begun]  # type: ignore[attr-defined]
    try:
        with _unswallowed(trainer):
            trainer.fit(module, batches, held_out, ckpt_path=None if resumed is None else str(resumed))
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if resumed is None or begun.has_begun:
            raise
        why = shown(" ".join(str(error).split()) or type(error).__name__, 100)
        raise UserError(
            f"{resumed} cannot be continued ({why}); resume=false starts over (the old files are renamed)"
        ) from error
    finally:
        for own in (answers, begun):
            trainer.callbacks.remove(own)  # type: ignore[attr-defined]
        trainer.strategy.teardown = teardown  # type: ignore[method-assign]


def validate(trainer: pl.Trainer, module: pl.LightningModule, batches: Any) -> None:
    """Run Lightning's ``validate``.

    Raises:
        KeyboardInterrupt: as for `fit`.
    """
    with _unswallowed(trainer):
        trainer.validate(module, batches, verbose=False)


@contextmanager
def _unswallowed(trainer: pl.Trainer) -> Iterator[None]:
    """Raise what a signal has raised, where Lightning would end the process, of SIGTERM as one that succeeded."""
    try:
        yield
    except SIGTERMException:
        raise EndedError(signal.SIGTERM) from None
    except SystemExit as error:
        if trainer.interrupted and isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise error.__context__ from None
        raise


def _leave(strategy: Strategy, teardown: Callable[[], None]) -> None:
    """Tear a strategy down, but leave the module and its optimizers where they are."""
    module, strategy.optimizers = strategy.lightning_module, []
    strategy.connect(pl.LightningModule())
    teardown()
    if module is not None:
        strategy.connect(module)


class _Begun(pl.Callback):
    """Tells whether all is restored, also by the other callbacks: what fails later is not the checkpoint's fault."""

    has_begun = False

    def on_train_batch_start(self, *_: Any) -> None:
        self.has_begun = True


class _OwnAnswer(pl.Callback):
    """Gives SIGTERM its handler back, before other callbacks may set theirs.

    Lightning puts one of its own around it, with which a program that is ended is one that succeeded.
    """

    def __init__(self, on_sigterm: Any) -> None:
        self._on_sigterm = on_sigterm

    def on_train_start(self, *_: Any) -> None:
        if self._on_sigterm is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_sigterm)


def close(loggers: Sequence[Logger]) -> None:
    """End the loggers' runs, with everything written to disk."""
    for logger in loggers:
        if isinstance(logger, WandbRun):
            logger.end()
        else:
            logger.finalize("success")
