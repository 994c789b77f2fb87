"""The loggers of runs and sweeps, W&B and TensorBoard, and what is logged to them."""

from __future__ import annotations

import json
import netrc
import os
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import wandb
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from genviz.classifiers.server import why_unreachable
from genviz.errors import UserError
from genviz.images.pictures import read_image

_WANDB = "api.wandb.ai"
_ROUTE_SECONDS = 3.0
_COLUMNS = ("target", "verdict", "rank", "activation", "explanation", "updates", "seed", "seconds_per_update")
"""The columns of a table of many targets, by their names in a result."""


class WandbRun(WandbLogger):
    """A W&B run whose step is the update; a resumed training continues it.

    Offline unless the user is logged in and the server answers, so that it needs no account and never blocks.

    Args:
        folder: the target's outputs; the run lies in ``folder/wandb``.
        run_id: the run to continue; None: a new one.
        project, group, name: as shown by W&B.
    """

    def __init__(self, *, folder: Path, run_id: str | None, project: str, group: str, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            super().__init__(
                name=name,
                save_dir=folder,
                version=run_id or secrets.token_hex(4),
                project=project,
                group=group,
                resume="allow",
                mode=_mode(),
                settings=wandb.Settings(
                    silent=True,
                    console="off",
                    disable_git=True,
                    x_disable_stats=True,
                    init_timeout=20,
                    x_transaction_log_flush_interval=1.0,  # seconds of records that a SIGKILL can lose
                ),
            )
            self._wandb_init.pop("anonymous", None)  # Lightning passes it, W&B warns about it
            self._first: int | None = None
            _ = self.experiment  # starts the run
        except (wandb.Error, ValueError) as error:
            raise UserError(f"W&B: {error}; WANDB_MODE=offline needs no account, logger=none no W&B") from error

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if self._first is None:
            self._first = self.experiment.step  # where a resumed online run continues
            self.experiment.define_metric("*", step_metric="update", step_sync=False)
        if step is None or step >= self._first:
            self.experiment.log({**metrics, "update": step}, step=step)

    @property
    def run_id(self) -> str:
        return str(self.version)

    @property
    def where(self) -> str:
        """Where the run is: its URL, or its folder with how to view and upload it."""
        run = self.experiment
        if run.disabled:
            return "not logged: WANDB_MODE=disabled"
        if run.offline:
            return f"{Path(run.dir).parent}  (view it: wandb leet; upload it: wandb sync; both with this path)"
        return str(run.url)


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
        logger.experiment.log({}, step=step, commit=True)  # or the last update's would replace the verdict's numbers
        logger.experiment.summary.update(dict(result))
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
        best = result["top_classes"][0]
        values = [result[name] for name in _COLUMNS]
        table.add_data(*values, best["label"], best["probability"], wandb.Image(str(picture)))
    logger.experiment.log({"targets": table})
    verdicts = Counter(str(result["verdict"]) for result, _ in rows)
    logger.experiment.summary.update({"done": len(rows), **{f"count/{verdict}": n for verdict, n in verdicts.items()}})


def _mode() -> str:
    if chosen := os.environ.get("WANDB_MODE"):
        return chosen
    server = os.environ.get("WANDB_BASE_URL") or str(wandb.Settings().base_url)
    logged_in = _logged_in({urlparse(server).hostname or "", _WANDB})
    return "online" if logged_in and why_unreachable(server, _ROUTE_SECONDS) is None else "offline"


def _logged_in(hosts: set[str]) -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        known = netrc.netrc(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
        return False
    return any(known.authenticators(host) is not None for host in hosts)
