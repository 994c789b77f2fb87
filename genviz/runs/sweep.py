"""Many targets, one batch after the other, each in the folders that it would have alone."""

from __future__ import annotations

import copy
import json
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from genviz import build, identity, report
from genviz.errors import CannotWriteError, UserError
from genviz.interfaces import Classifier
from genviz.review.write import review, write_review
from genviz.runs.batch import Batch
from genviz.runs.places import Places, TakenError
from genviz.runs.run import Run
from genviz.runs.sweep_log import SweepLog
from genviz.targets import Target

_AT_ONCE = 64  # on a GPU, or as many as its memory holds
_SECONDS = 60.0  # between two writings of the page, at least
_ALIKE = 3  # targets, the first ones, that fail for the same reason: it is not theirs


def sweep(config: DictConfig, targets: Sequence[Target]) -> int:
    """Train the configured generator for each of ``targets``; return the program's exit code.

    What is done stays, what has begun goes on, and what another process makes is left to it. A target that cannot be
    made is told of, and does not stop the others.

    Raises:
        UserError: a setting cannot work for any target, or the disk is full.
    """
    return Sweep(config, targets, build.classifier(config.classifier)).make()


class Sweep:
    """The targets that are left, and what has come of the others.

    Attributes:
        at_once: how many targets are trained together.
        results: of the targets that are done, by name.
        failures: why a target could not be made, by name.
    """

    def __init__(self, config: DictConfig, targets: Sequence[Target], classifier: Classifier) -> None:
        self.config, self.targets, self.classifier = config, targets, classifier
        self.names, self.generator_sha256 = build.names(config), build.generator_sha256(config)
        self.results: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, str] = {}
        on_gpu = config.trainer.accelerator != "cpu" and torch.cuda.is_available()
        self.at_once = int(config.batch) if config.batch != "auto" else _AT_ONCE if on_gpu else 1
        self._alike: dict[int, dict[str, str]] = {}
        self._by_themselves: set[str] = set()
        self._shown, self._showing = time.monotonic(), 0.0

    def make(self) -> int:
        """Make what is left; return the program's exit code."""
        waiting = [target for target in self.targets if not self._is_done(target)]
        report.sweep_begins(self.names, len(self.targets), len(self.results), self.at_once, self.classifier)
        log, ended_by = SweepLog(self.config, self.names), None
        while ended_by is None:
            with ExitStack() as claims:
                runs = self._claim(waiting, claims)
                if not runs:  # all are over, or other processes make the rest
                    break
                ended_by = self._make(runs, log)
            self._show()
            waiting = [target for target in waiting if not self._is_over(target)]
        waiting = [target for target in waiting if not self._is_over(target) and not self._is_done(target)]
        rows = [
            (result, Places.of(self.config, target, self.names).picture)
            for target in self.targets
            if (result := self.results.get(str(target))) is not None
        ]
        log.end(rows)
        if ended_by is not None and waiting:
            report.sweep_stopped(ended_by, len(rows), len(self.targets))
            return 128 + ended_by
        elsewhere = [str(target) for target in waiting]
        report.sweep_ends(list(self.results.values()), self.failures, elsewhere, self.names)
        if rows:
            report.sweep_where(review(Path(self.config.paths.outputs).expanduser()), log.folder, log.where)
        return 2 if self.failures else 0

    def _show(self) -> None:
        """Write the page anew if that takes next to nothing of the time that has passed since it was written."""
        if self.results and time.monotonic() - self._shown > max(_SECONDS, 50 * self._showing):
            begun = time.monotonic()
            write_review(Path(self.config.paths.outputs).expanduser())
            self._shown = time.monotonic()
            self._showing = self._shown - begun

    def _is_over(self, target: Target) -> bool:
        return str(target) in self.results or str(target) in self.failures

    def _is_done(self, target: Target) -> bool:
        """Whether a result of these settings is there, also one of another process; it is remembered."""
        places = Places.of(self.config, target, self.names)
        try:
            result = json.loads(places.result.read_text(encoding="utf-8"))
            made, wanted = result["identity"], result["updates_wanted"]
        except (OSError, ValueError, LookupError, TypeError):
            return False
        if made != self._identity(target) or wanted < self.config.updates or not places.picture.exists():
            return False
        self.results[str(target)] = result
        return True

    def _settled(self, target: Target) -> DictConfig:
        """The configuration of the target by itself."""
        config = copy.deepcopy(self.config)
        config.target, config.targets = str(target), None
        build.settle(config, target, self.classifier)
        return config

    def _identity(self, target: Target) -> dict[str, str]:
        """Every setting that the target's picture depends on."""
        follows = self._follows(target)
        if follows not in self._alike:
            self._alike[follows] = identity.of_training(
                self._settled(target), target, self.classifier.weights_sha256, self.generator_sha256
            )
        return {**self._alike[follows], "target": str(target)}

    def _claim(self, waiting: Sequence[Target], claims: ExitStack) -> list[Run]:
        """The next runs that can be trained together, kept from other processes; none where all are taken."""
        runs: list[Run] = []
        for target in waiting:
            if runs and not self._go_together(target, runs[0].target):
                continue
            try:
                with ExitStack() as claim:
                    claim.enter_context(Places.of(self.config, target, self.names).claimed())
                    if self._is_done(target):
                        continue  # by another process, in between
                    run = Run(self._settled(target), target, self.classifier, self.generator_sha256)
                    if runs and run.updates != runs[0].updates:
                        continue
                    claims.enter_context(claim.pop_all())
            except TakenError:
                continue
            except CannotWriteError:
                raise
            except UserError as error:
                self._fail(target, error)
                continue
            runs.append(run)
            if len(runs) == self.at_once or str(target) in self._by_themselves:
                break
        return runs

    def _go_together(self, target: Target, other: Target) -> bool:
        """Whether the settings that follow from their layers are the same, and none is to be by itself."""
        return self._follows(target) == self._follows(other) and str(target) not in self._by_themselves

    def _follows(self, target: Target) -> int:
        """What the settings that follow from a target's layers go by."""
        return self.classifier.stride(target.layers) if self.config.generator.get("margin") == build.AUTO else 0

    def _make(self, runs: Sequence[Run], log: SweepLog) -> signal.Signals | None:
        """Train a batch and write what comes of it; the signal that ended it, None for none."""
        over = len(self.results) + len(self.failures)
        title = f"{over + 1}/{len(self.targets)} {runs[0].target}"
        title += f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        try:
            batch = Batch(runs, title=title, position=log.worker)
            for run in runs:
                run.begin()
            batch.fit()
            if batch.signal is not None:
                return batch.signal
            finished = batch.finish()
        except CannotWriteError:
            raise
        except UserError as error:
            if len(runs) > 1:  # whose it is will be seen
                self._by_themselves |= {str(run.target) for run in runs}
            else:
                self._fail(runs[0].target, error)
            return None
        except RuntimeError as error:
            if "memory" not in str(error) or len(runs) == 1:
                raise
            self.at_once = len(runs) // 2
            report.sweep_halves(self.at_once)
            return None
        for run, verdicts, result in finished:
            run.write_result(result)
            self.results[str(run.target)] = result
            report.sweep_target(len(self.results) + len(self.failures), len(self.targets), run.target, verdicts[0][1])
            done = Counter(str(made["verdict"]) for made in self.results.values())
            shares = {verdict: count / len(self.results) for verdict, count in done.items()}
            log.add(result, run.places.picture, len(self.results), shares)
        return batch.noticed

    def _fail(self, target: Target, error: UserError) -> None:
        """Remember why a target cannot be made.

        Raises:
            UserError: the first ones all fail for the same reason, which is therefore not theirs.
        """
        self.failures[str(target)] = str(error)
        report.sweep_failure(len(self.results) + len(self.failures), len(self.targets), target, error)
        reasons = {why.replace(name, "").replace(name.replace(":", "-"), "") for name, why in self.failures.items()}
        if not self.results and len(self.failures) == _ALIKE and len(reasons) == 1:
            raise UserError(f"the first {_ALIKE} targets failed alike: {error}") from error
