"""A run of one target, from its last checkpoint to its picture and verdict."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger

from genviz.interfaces import Classifier
from genviz.targets.grammar import Target
from genviz.training import build, console
from genviz.training.batch import Batch
from genviz.training.compiled import CompiledSteps
from genviz.training.loggers import WandbRun, log_result
from genviz.training.run import Run
from genviz.training.run_folders import TakenError
from genviz.training.trainer import close


def train(
    config: DictConfig, target: Target, *, callbacks: Sequence[pl.Callback] = (), classifier: Classifier | None = None
) -> int:
    """Train the configured generator until ``target`` fires; return the program's exit code.

    Args:
        callbacks: additional ones, called after genviz's own.
        classifier: the configured one, if it is built already.

    Raises:
        UserError: a setting cannot work, the checkpoint is of another run, or another process is at work on the target.
    """
    classifier = build.classifier(config.classifier) if classifier is None else classifier
    build.settle(config, target, classifier)
    run = Run(config, target, classifier, build.generator_sha256(config))
    if (result := run.done) is not None:
        console.done(run, result["updates"])
        return 0
    batch = Batch([run], callbacks=callbacks, steps=CompiledSteps() if config.compile else None)
    with run.folders.claimed():
        if run.has_moved:
            raise TakenError(f"another process has continued {target} in the meantime; run the same command again")
        run.prepare()
        console.begins(run, batch.coupling.generator)
        loggers = _loggers(batch)
        batch.fit(loggers)
        if (ended_by := batch.signal) is not None:
            batch.writers.close()
            console.stopped(run, ended_by, batch.trainer.global_step)
            close(loggers)
            return 128 + ended_by
        (finished,) = batch.finish()
        for logger in loggers:
            log_result(logger, finished.result, run.folders.picture, batch.trainer.global_step)
        close(loggers)
        where = next((logger.where for logger in loggers if isinstance(logger, WandbRun)), None)
        batch.writers.close()
        run.folders.write_result(finished.result)
    where = where or ("logged" if loggers else "not logged")
    console.ends(run, finished.verdicts, where)
    return 0


def _loggers(batch: Batch) -> list[Logger]:
    """The configured loggers of a single run, continuing those of its checkpoint."""
    run, record = batch.runs[0], batch.records[0]
    group = f"{run.names.classifier}/{run.names.generator}"
    title = f"{run.target} on {group}"
    known = record["wandb_run_id"]
    loggers = build.loggers(run.config, folder=run.folders.outputs, run_id=known, group=group, name=title)
    record["wandb_run_id"] = next((logger.run_id for logger in loggers if isinstance(logger, WandbRun)), known)
    for logger in loggers:
        logger.log_hyperparams(record["config"])
    return loggers
