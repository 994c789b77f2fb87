"""What a sweep logs: one run for many targets, with a table of all of them."""

from __future__ import annotations

import hashlib
import itertools
import json
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from genviz.files import prepare_folder, put_aside, read_json, write_text
from genviz.targets.grammar import Target
from genviz.training import build, naming
from genviz.training.leftovers import make_way
from genviz.training.loggers import WandbRun, log_table, log_target
from genviz.training.run_folders import CLAIMS, claim
from genviz.training.trainer import close

_NAME = 60  # characters of a list of targets in a run's name, of which W&B takes 128


class SweepLog:
    """The sweep's own run in the configured logger; starting again with the same targets continues it.

    One run with a table, not a run per target: a thousand targets can then be sorted, filtered and grouped by verdict,
    class or rank on one page, each with its picture; a group of a thousand runs only lists names. The numbers of each
    target's updates are in its metrics.csv and on the page.

    Attributes:
        worker: the number of this process among those that share the folder.
    """

    def __init__(self, config: DictConfig, names: naming.Names, targets: Sequence[Target]) -> None:
        self.folder = Path(config.paths.outputs).expanduser() / names.classifier / names.generator
        self._claim = ExitStack()
        self.worker = self._number(int(config.worker))
        known, listed = self.folder / f"sweep-{self.worker}.json", _digest(targets)
        make_way([known])
        run_id = _known(known, listed)
        group = f"{names.classifier}/{names.generator}"
        asked = textwrap.shorten(config.targets.replace(",", ", "), _NAME, placeholder=" …")
        name = f"{asked} on {group}" + (f", worker {self.worker}" if self.worker else "")
        self.loggers = build.loggers(config, folder=self.folder, run_id=run_id, group=group, name=name)
        for logger in self.loggers:
            logger.log_hyperparams({**build.plain(config), "target": None})
            if isinstance(logger, WandbRun):
                write_text(known, json.dumps({"targets": listed, "wandb_run_id": logger.run_id}) + "\n")

    @property
    def where(self) -> str:
        """Where the run is."""
        run = next((logger.where for logger in self.loggers if isinstance(logger, WandbRun)), None)
        return run or ("logged" if self.loggers else "not logged")

    def add(self, result: Mapping[str, Any], picture: Path, done: int, shares: Mapping[str, float]) -> None:
        """Log the ``done``-th finished target, and the shares of the verdicts so far."""
        for logger in self.loggers:
            log_target(logger, result, picture, done, shares)

    def end(self, rows: Sequence[tuple[Mapping[str, Any], Path]]) -> None:
        """Log the table of finished targets, each with its picture, and end the run."""
        for logger in self.loggers:
            log_table(logger, rows)
        close(self.loggers)
        self._claim.close()

    def _number(self, wanted: int) -> int:
        """The first number from ``wanted`` up that no other process has."""
        prepare_folder(self.folder / CLAIMS)
        for number in itertools.count(wanted):
            if (held := claim(self.folder / CLAIMS / f"worker-{number}.lock")) is not None:
                self._claim.enter_context(held)
                break
        return number


def _digest(targets: Sequence[Target]) -> str:
    return hashlib.sha256("\n".join(map(str, targets)).encode()).hexdigest()[:16]


def _known(path: Path, listed: str) -> str | None:
    """The W&B run of the same list of targets, if any; a damaged file is set aside."""
    if not path.exists():
        return None
    try:
        known = read_json(path)
        return str(known["wandb_run_id"]) if known["targets"] == listed else None
    except (ValueError, LookupError, TypeError):
        put_aside(path, "is damaged")
        return None
