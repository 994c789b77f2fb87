"""The loggers of runs and sweeps, W&B and TensorBoard, and what is logged to them."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from tqdm.auto import tqdm

from genviz.classifiers.weight_files.server import why_useless
from genviz.errors import UserError
from genviz.images.pictures import read_image
from genviz.training.leftovers import make_folders
from genviz.training.wandb_account import logged_in

_WANDB = "api.wandb.ai"
_ROUTE_SECONDS, _INIT_SECONDS = 3.0, 4.5  # together, a run waits for a server for less than ten
_FINISH_SECONDS = 120.0  # for the uploads that are left at the end
_LONGEST = 100  # characters of another program's message
_COLUMNS = ("target", "verdict", "rank", "activation", "explanation", "updates", "seed", "seconds_per_update")
"""The columns of a table of many targets, by their names in a result."""


class WandbRun(WandbLogger):
    """A W&B run whose step is the update; a resumed training continues it.

    Offline unless the user is logged in and the server answers, so that it needs no account and blocks for seconds at
    most. A run that has begun offline goes on offline until it has been uploaded. Whatever happens to W&B, the training
    goes on.

    Args:
        folder: the target's outputs; the run lies in ``folder/wandb``.
        run_id: the run to continue; None: a new one.
        project, group, name: as shown by W&B.

    Raises:
        UserError: W&B does not accept the user's settings.
    """

    def __init__(self, *, folder: Path, run_id: str | None, project: str, group: str, name: str) -> None:
        make_folders([folder])
        make_folders([folder / "wandb"])
        self.folder = folder / "wandb"
        self._first: int | None = None
        self._lost: str | None = None
        version = run_id or secrets.token_hex(4)
        mode, why = _mode(self.folder, version)
        # W&B's reports on itself go to the server from offline runs, too, and wait for it at the program's end
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        try:
            super().__init__(
                name=name,
                save_dir=folder,
                version=version,
                project=project,
                group=group,
                resume="allow",
                mode=mode,
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    disable_git=True,
                    x_disable_stats=True,
                    init_timeout=_INIT_SECONDS,
                    finish_timeout=float(os.environ.get("WANDB_FINISH_TIMEOUT", _FINISH_SECONDS)),
                    x_transaction_log_flush_interval=1.0,  # seconds of records that a SIGKILL can lose
                ),
            )
            self._wandb_init.pop("anonymous", None)  # Lightning passes it, W&B warns about it
            try:
                _ = self.experiment  # starts the run
            except wandb.errors.CommError as error:
                why = str(error).splitlines()[0]
                self._wandb_init["mode"] = "offline"
                wandb.teardown()  # or the run's id would be in use
                _ = self.experiment
            except ConnectionError as error:  # its service has ended
                if self._experiment is None:
                    raise
                self._lose(error)
        except (wandb.Error, ValueError, ConnectionError) as error:
            raise UserError(f"W&B: {error}; WANDB_MODE=offline needs no account, logger=none no W&B") from error
        if why is not None:
            _say(f"W&B: {why[:_LONGEST]}; logged offline, to upload it later: {self._upload}")

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        def log() -> None:
            if self._first is None:
                self._first = self.experiment.step  # where a resumed online run continues
                self.experiment.define_metric("*", step_metric="update", step_sync=False)
            if step is None or step >= self._first:
                self.experiment.log({**metrics, "update": step}, step=step)

        self.attempt(log)

    def log_hyperparams(self, params: Any) -> None:
        self.attempt(lambda: super(WandbRun, self).log_hyperparams(params))

    def summarize(self, values: Mapping[str, Any]) -> None:
        """Set the run's summary."""
        self.attempt(lambda: self.experiment.summary.update(dict(values)))

    def end(self) -> None:
        """End the run; what has not been uploaded by then stays on disk."""
        self.attempt(self.experiment.finish)
        if self._lost is not None:
            self.attempt(wandb.teardown)  # or Python would try at its end
        elif getattr(self.experiment, "_finish_timed_out", False):
            _say(f"W&B has not taken all of the run; to upload the rest: {self._upload}")

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something in W&B; if that fails, say so, and do nothing more there."""
        if self._lost is not None and action is not wandb.teardown:
            return
        try:
            action()
        except Exception as error:  # its service can end at any moment, in many ways
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Say, once, that W&B has failed, and do nothing more there."""
        if self._lost is None:
            self._lost = str(error) or type(error).__name__
            why = self._lost.splitlines()[0][:_LONGEST]
            _say(f"W&B failed ({why}); the run goes on without it; to upload what there is: {self._upload}")

    @property
    def run_id(self) -> str:
        return str(self.version)

    @property
    def where(self) -> str:
        """Where the run is: its URL, or its folder with how to view and upload it."""
        run = self.experiment
        if run.disabled:
            return "not logged: WANDB_MODE=disabled"
        if run.offline or self._lost is not None:
            return f"{Path(run.dir).parent}  (view it: wandb leet with this path; upload it: {self._upload})"
        return str(run.url)

    @property
    def _upload(self) -> str:
        """The command that uploads every part of the run, in order."""
        return f"wandb sync {shlex.quote(str(self.folder))}/*run-*-{self.run_id}"


class TensorBoardRun(TensorBoardLogger):
    """TensorBoard's event files in ``folder/tensorboard``; a resumed training appends its own.

    Args:
        folder: the target's outputs.
        run_id, group, name: unused; TensorBoard shows the path.
    """

    def __init__(self, *, folder: Path, run_id: str | None, group: str, name: str) -> None:
        super().__init__(save_dir=folder, name="tensorboard", version="", default_hp_metric=False)


def log_image(logger: Logger, name: str, picture: Path, step: int) -> None:
    """Log the file ``picture``, if ``logger`` takes images."""
    if isinstance(logger, WandbRun):
        logger.log_metrics({name: wandb.Image(str(picture))}, step)
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, read_image(picture)[0], step)


def log_result(logger: Logger, result: Mapping[str, Any], picture: Path, step: int) -> None:
    """Log the final picture and the verdict."""
    log_image(logger, "final", picture, step)
    if isinstance(logger, WandbRun):
        logger.attempt(lambda: logger.experiment.log({}, step=step, commit=True))  # or the last update's would
        logger.summarize(result)  # replace the verdict's numbers
    elif isinstance(logger, TensorBoardLogger):
        logger.experiment.add_text("result", f"```\n{json.dumps(result, indent=2)}\n```", step)


def log_target(
    logger: Logger, result: Mapping[str, Any], picture: Path, done: int, shares: Mapping[str, float]
) -> None:
    """Log the ``done``-th of many targets, and the shares of the verdicts so far."""
    numbers = {"activation": result["activation"], "rank": result["rank"]}
    numbers |= {f"share/{verdict}": share for verdict, share in shares.items()}
    if isinstance(logger, WandbRun):
        caption = f"{result['target']}: {result['verdict']}, rank {result['rank']}"
        logger.log_metrics({**numbers, "picture": wandb.Image(str(picture), caption=caption)}, done)
    elif isinstance(logger, TensorBoardLogger):
        logger.log_metrics(numbers, done)
        logger.experiment.add_image(f"final/{result['target']}", read_image(picture)[0], done)


def log_table(logger: Logger, rows: Sequence[tuple[Mapping[str, Any], Path]]) -> None:
    """Log a table of many targets to W&B, each with its picture, to sort, filter and group."""
    if not isinstance(logger, WandbRun):
        return
    table = wandb.Table(columns=[*_COLUMNS, "strongest class", "probability", "picture"])
    for result, picture in rows:
        best = result["top_classes"][:1] or [{"label": None, "probability": None}]  # a network may have no classes
        values = [result[name] for name in _COLUMNS]
        table.add_data(*values, best[0]["label"], best[0]["probability"], wandb.Image(str(picture)))
    logger.attempt(lambda: logger.experiment.log({"targets": table}))
    verdicts = Counter(str(result["verdict"]) for result, _ in rows)
    logger.summarize({"done": len(rows), **{f"count/{verdict}": n for verdict, n in verdicts.items()}})


def _mode(folder: Path, run_id: str) -> tuple[str, str | None]:
    """W&B's mode, and why it is offline where it was meant to be online."""
    chosen = os.environ.get("WANDB_MODE")
    server = os.environ.get("WANDB_BASE_URL") or str(wandb.Settings().base_url)
    wanted = chosen or ("online" if logged_in({urlparse(server).hostname or "", _WANDB}) else "offline")
    if wanted != "online":
        return wanted, None
    if any(not list(part.glob("*.synced")) for part in folder.glob(f"offline-run-*-{run_id}")):
        return "offline", "an earlier part of the run has not been uploaded"
    why = why_useless(f"{server.rstrip('/')}/graphql", _ROUTE_SECONDS)
    return ("online", None) if why is None else ("offline", f"{server}: {why}")


def _say(line: str) -> None:
    """Print a line; what a server has answered can hold anything."""
    tqdm.write("".join(character if character.isprintable() else " " for character in line), file=sys.stderr)
