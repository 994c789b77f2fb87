"""A training on pictures, from its last checkpoint to its last update."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from torch.utils.data import DataLoader

import genviz
from genviz.errors import UserError
from genviz.files import put_aside, read_json, set_aside, sha256, write_text
from genviz.learning.data import Timed
from genviz.training import build
from genviz.training.callbacks.checkpoints import Checkpoints
from genviz.training.callbacks.monitor import Monitor
from genviz.training.checkpoint import KEY, check_identity, read_checkpoint
from genviz.training.console import again
from genviz.training.leftovers import make_folders, make_way
from genviz.training.loggers import WandbRun
from genviz.training.run_folders import TakenError, claimed, stamp
from genviz.training.trainer import close, fit, make_trainer, validate


def folder_of(config: DictConfig, program: str, root: str) -> Path:
    """The folder of ``program`` for the configured name, in one of the roots, ``outputs`` or ``checkpoints``."""
    return Path(config.paths[root]).expanduser() / program / str(config.name)


def counted(count: int, thing: str) -> str:
    """``1 picture``, ``2,000 pictures``."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


class Training:
    """A training of the configured name, with its files in ``<root>/<program>/<name>/``.

    Args:
        program: the command that it belongs to.
        identity: every setting that its result depends on.
        shown: the metrics in the progress bar, each with its number format.
        best: the validation metric by which the best state is kept, larger is better; None: not kept.
        callbacks: additional ones, called before the checkpoint is written.
        apart: the setting that gives another training a folder of its own.

    Attributes:
        outputs: the folder of its results.
        updates: those already made.
        result: the file that exists once the training is done.
        waited: the seconds that an update waited for its pictures, on average.

    Raises:
        UserError: a setting of the trainer cannot work, or the checkpoint is damaged or of another training.
    """

    def __init__(
        self,
        config: DictConfig,
        program: str,
        *,
        updates: int,
        identity: Mapping[str, str],
        shown: Mapping[str, str],
        best: str | None = None,
        callbacks: Sequence[pl.Callback] = (),
        apart: str = "name=NAME",
        starts_over: bool = False,
    ) -> None:
        self.apart, self.starts_over = apart, starts_over or not config.resume
        self.config, self.program, self.to_make = config, program, updates
        self.outputs, folder = (folder_of(config, program, root) for root in ("outputs", "checkpoints"))
        self.checkpoint, self.best, self.waited = folder / "last.ckpt", folder / "best.ckpt", 0.0
        self.result = self.outputs / "result.json"
        self._seen = stamp(self.checkpoint, self.result)
        begun = config.resume and os.access(self.checkpoint, os.F_OK)
        self.found = read_checkpoint(self.checkpoint) if begun else None
        if self.found is not None:
            check_identity(self.checkpoint, identity, self.found, apart=apart)
        self.updates = 0 if self.found is None else int(self.found["global_step"])
        ended = self.found is not None and bool(self.found[KEY].get("ended"))
        self._record: dict[str, Any] = {
            "config": build.plain(config),
            "identity": dict(identity),
            "genviz": genviz.__version__,
        }
        self.monitor = Monitor(
            metrics_files=[self.outputs / "metrics.csv"],
            updates=updates,
            title=config.name,
            log_every=config.log_every,
            shown=shown,
        )
        self._validate_every = validate_every = min(config.validate_every, updates)
        self._checkpoints = Checkpoints(
            path=self.checkpoint,
            every=config.checkpoint_every,
            updates=updates,
            record=self._record,
            monitor=self.monitor,
            validate_every=validate_every,
            best=None if best is None else self.best,
            measure=best or "",
        )
        validation = {
            "val_check_interval": validate_every,
            "check_val_every_n_epoch": None,
            "num_sanity_val_steps": 0,
        }
        settings = build.plain(config)["trainer"] | validation
        last = self.updates if ended else updates
        self.trainer = make_trainer(settings, [self.monitor, *callbacks, self._checkpoints], updates=last)

    def is_done(self, path: Path) -> bool:
        """Whether nothing is left to do, and ``path`` is the file that the result tells of."""
        try:
            said = read_json(self.result)
            made = self.updates >= self.to_make or (said.get("ended_early") and said["updates"] == self.updates)
            return bool(made) and (said["weights"], said["sha256"]) == (path.name, sha256(path))
        except (OSError, ValueError, LookupError, TypeError):
            return False

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Lock the training against other processes, but for those that take part in it.

        Raises:
            TakenError: another process has it, or has continued it since this object was created.
        """
        with ExitStack() as held:
            if self.trainer.is_global_zero:
                held.enter_context(claimed(self.outputs, apart=self.apart))
                if stamp(self.checkpoint, self.result) != self._seen:
                    raise TakenError(
                        f"another process has continued {self.config.name} in the meantime; run the same command again"
                    )
            yield

    def run(self, module: pl.LightningModule, batches: DataLoader[Any], held_out: Any) -> int | None:
        """Run the remaining updates; return None, or the exit code of a signal that ended them early.

        Raises:
            UserError: the loss is no longer finite, or a file cannot be written.
        """
        config, trainer = self.config, self.trainer
        if trainer.is_global_zero:
            self._prepare()
        timed = Timed(batches)
        try:
            fit(trainer, module, timed, held_out, resumed=None if self.found is None else self.checkpoint)
        except BaseException as error:
            for worker in multiprocessing.active_children():  # they ignore signals, and would be waited for
                worker.kill()
            if trainer.is_global_zero or "closed by peer" not in str(error):
                raise
            return 1  # the first process failed, and has said why
        made = trainer.global_step - self.updates
        self.waited = timed.seconds / max(made, 1)
        signal = self._checkpoints.signal
        if signal is not None and trainer.global_step < self.to_make:
            if trainer.is_global_zero:
                print(f"{signal.name} after update {trainer.global_step}, saved: {self.checkpoint}; ", end="")
                print(f"{again(resume=not self.starts_over)} continues from there", flush=True)
            close(trainer.loggers)
            return 128 + signal
        if self.monitor.failure is not None:
            close(trainer.loggers)
            rate = config.optimizer.get("lr")
            smaller = "" if rate is None else f": optimizer.lr={rate / 5:g} resume=false"
            raise UserError(f"{self.monitor.failure}; try a smaller learning rate{smaller}")
        return None

    def restore_best(self, module: pl.LightningModule, held_out: Any) -> int:
        """Load the state that validated best into ``module``, after validating the last; return the state's update."""
        if self.to_make % self._validate_every:
            self.trainer.limit_val_batches = 1.0  # a signal during the last update may have set it to 0
            validate(self.trainer, module, held_out)
            if float(self.trainer.callback_metrics[self._checkpoints.measure]) > self._checkpoints.most:
                return self.trainer.global_step
        if not self.best.exists():
            return self.trainer.global_step
        best = read_checkpoint(self.best)
        module.load_state_dict(best["state_dict"])
        return int(best["global_step"])

    def _prepare(self) -> None:
        config, trainer = self.config, self.trainer
        if not config.resume:  # only now that everything else has worked
            for path in (self.checkpoint.parent, self.outputs):
                set_aside(path)
        make_folders((self.outputs, self.checkpoint.parent))
        written = [self.outputs / name for name in ("config.yaml", "metrics.csv", f"{config.name}.safetensors")]
        make_way((*written, self.result))
        self._set_damaged_aside(written[-1])
        self.result.unlink(missing_ok=True)
        write_text(written[0], build.as_yaml(config))
        if 0 < self.updates < self.trainer.max_steps:
            print(f"continuing after update {self.updates} of {self.to_make} (resume=false starts over)", flush=True)
        run_id = None if self.found is None else self.found[KEY]["wandb_run_id"]
        trainer.loggers = build.loggers(
            config, folder=self.outputs, run_id=run_id, group=self.program, name=config.name
        )
        self._record["wandb_run_id"] = next(
            (run.run_id for run in trainer.loggers if isinstance(run, WandbRun)), run_id
        )
        for logger in trainer.loggers:
            logger.log_hyperparams(self._record["config"])

    def _set_damaged_aside(self, weights: Path) -> None:
        """Set aside a file of weights that is not the one of which the result tells, and a result that says nothing."""
        if not self.result.exists():
            return
        try:
            claimed = read_json(self.result)["sha256"]
        except (ValueError, LookupError, TypeError):
            put_aside(self.result, "is damaged")
            return
        if weights.exists() and sha256(weights) != claimed:
            put_aside(weights, "is damaged or was changed")
