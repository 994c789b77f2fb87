"""Many targets, batch by batch, each in the folders that it would have alone."""

from __future__ import annotations

import signal
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig

from genviz.errors import CannotWriteError, UserError, out_of_memory
from genviz.files import write_text
from genviz.interfaces import Classifier
from genviz.reports.review.write import review, write_review
from genviz.sweeps import console
from genviz.sweeps.log import SweepLog
from genviz.sweeps.mosaic import check_mosaic, draw_mosaic
from genviz.sweeps.queue import Waiting
from genviz.targets.grammar import Target
from genviz.training import build
from genviz.training.batch import Batch
from genviz.training.compiled import CompiledSteps
from genviz.training.run import Run
from genviz.training.signals import noticing
from genviz.training.writers import Writers

_AT_ONCE = 64  # on a GPU, or as many as its memory holds
_BATCHES = 2  # for more than that, compiling pays on a card
_SECONDS = 60.0  # at least, between two updates of the page
_ALIKE = 3  # targets: if the first ones all fail for the same reason, the settings are at fault


def sweep(config: DictConfig, targets: Sequence[Target]) -> int:
    """Train the configured generator for each of ``targets``; return the program's exit code.

    Finished targets are kept, started ones continue, and those of another process are left to it. A target that fails
    is reported and does not stop the others.

    Raises:
        UserError: a setting cannot work for any target, or the disk is full.
    """
    if config.mosaic:
        check_mosaic(targets)
    return Sweep(config, targets, build.classifier(config.classifier)).make()


class Sweep:
    """A sweep over many targets.

    Attributes:
        waiting: the targets that are left, and the outcomes of the others.
        at_once: how many are trained together.
    """

    def __init__(self, config: DictConfig, targets: Sequence[Target], classifier: Classifier) -> None:
        self.config, self.waiting = config, Waiting(config, targets, classifier)
        self.at_once = _at_once(config)
        many = len(targets) > _BATCHES * self.at_once and on_card(config)
        self._steps = CompiledSteps() if config.compile or (config.compile is None and many) else None
        self._shown, self._showing = time.monotonic(), 0.0
        self._reasons: list[str] = []
        self._told: set[str] = set()
        self._writing: list[tuple[Writers, ExitStack, Sequence[Run]]] = []

    def make(self) -> int:
        """Train the targets that are left; return the program's exit code."""
        waiting, targets = self.waiting, self.waiting.targets
        waiting.look()
        console.begins(waiting.names, len(targets), len(waiting.results), self.at_once, waiting.classifier)
        log = SweepLog(self.config, waiting.names, targets)
        with noticing() as noticed:
            try:
                while not noticed:
                    with ExitStack() as claims:
                        told = len(waiting.failures)
                        runs = waiting.claim(self._share, claims)
                        failed = list(waiting.failures)[told:]
                        for number, name in enumerate(failed, waiting.over - len(failed) + 1):
                            console.target_failed(number, len(targets), name, waiting.failures[name])
                        if not runs:  # none is left, or other processes have the rest
                            break
                        noticed += self.make_batch(runs, log, claims)
                    self._show()
            finally:
                self._complete()
            left = waiting.look()
            done = [target for target in targets if str(target) in waiting.results]
            log.end([(waiting.results[str(target)], waiting.folders(target).picture) for target in done])
        if noticed and left:
            console.stopped(noticed[0], len(done), len(targets), waiting.names)
            return 128 + noticed[0]
        console.ends(list(waiting.results.values()), waiting.failures, list(map(str, left)), waiting.names)
        if done:
            console.where(review(self._outputs), log.folder, log.where)
            if self.config.mosaic:
                self._draw_mosaic(done)
        return 2 if waiting.failures else 0

    def _draw_mosaic(self, done: Sequence[Target]) -> None:
        """Write a mosaic of what each of the targets that are ``done`` sees of its picture."""
        waiting, names = self.waiting, self.waiting.names
        path = self._outputs / names.classifier / names.generator / "mosaic.png"
        pictures = [(target, waiting.classifier.outline, waiting.folders(target).picture) for target in done]
        draw_mosaic(path, pictures, waiting.classifier)
        print(f"mosaic      {path}", flush=True)

    @property
    def _share(self) -> int:
        """How many targets the next batch may have, so that each of several devices has some."""
        devices = self.config.trainer.devices
        return self.at_once if devices == 1 else min(self.at_once, -(-len(self.waiting.look()) // devices))

    def make_batch(self, runs: Sequence[Run], log: SweepLog, claims: ExitStack) -> list[signal.Signals]:
        """Train some runs together and write their results; return the signals that arrived in the meantime.

        What is written by threads may be complete only when the next batch is; until then the ``claims`` are kept.
        """
        waiting, targets = self.waiting, self.waiting.targets
        title = f"{waiting.over + 1}/{len(targets)} {runs[0].target}"
        title += f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        try:
            batch = Batch(runs, title=title, position=log.worker, steps=self._steps)
            if len(runs) > 1:
                console.one_by_one(self._told, batch.coupling.objective)
            for run in runs:
                run.prepare()
            batch.fit()
            self._complete()
            if batch.signal is not None:
                batch.writers.close()
                return [batch.signal]
            finished = batch.finish()
            if self._steps is not None:
                self._steps.forget()
        except CannotWriteError:
            raise
        except Exception as error:
            self._failed(runs, error)
            return []
        for number, (run, verdicts, result) in enumerate(finished):
            batch.writers.write(number, partial(run.folders.write_result, result))
            waiting.results[str(run.target)] = result
            console.target_done(waiting.over, len(targets), run.target, verdicts[0][1])
            counts = Counter(str(made["verdict"]) for made in waiting.results.values())
            shares = {verdict: count / len(waiting.results) for verdict, count in counts.items()}
            log.add(result, run.folders.picture, len(waiting.results), shares)
        self._writing = [(batch.writers, claims.pop_all(), runs)]
        if not batch.writers.run_beside:
            self._complete()
        return [] if batch.noticed is None else [batch.noticed]

    def _complete(self) -> None:
        """Wait until the last batch's files are written, and release its claims.

        Raises:
            CannotWriteError: one could not be written.
        """
        while self._writing:
            writers, claims, runs = self._writing.pop()
            with claims:
                try:
                    writers.close()
                except CannotWriteError:
                    raise
                except Exception as error:
                    self._lost(runs, error)

    def _lost(self, runs: Sequence[Run], error: Exception) -> None:
        """Report those of a batch whose results could not be written, for a reason of their own."""
        waiting = self.waiting
        for run in runs:
            if waiting.results.pop(str(run.target), None) is not None and not waiting.is_done(run.target):
                self._report(run, error)

    def _failed(self, runs: Sequence[Run], error: Exception) -> None:
        """Have the runs of a failed batch retried in smaller batches or alone; report one that failed alone.

        Raises:
            UserError: the first targets all fail for the same reason, so the settings are at fault.
        """
        waiting = self.waiting
        if len(runs) > 1:
            if out_of_memory(error):
                self.at_once = len(runs) // 2
                console.halved(self.at_once)
            else:  # alone, they will show whose error it is
                waiting.by_themselves |= {str(run.target) for run in runs}
            return
        (run,) = runs
        why = self._report(run, error)
        own = f"{type(error).__name__} {error}"
        self._reasons.append(own.replace(str(run.target), "").replace(run.target.folder, ""))
        if not waiting.results and len(self._reasons) == _ALIKE and len(set(self._reasons)) == 1:
            raise UserError(f"the first {_ALIKE} targets failed for the same reason: {why}") from error

    def _report(self, run: Run, error: Exception) -> str:
        """Note and print that a target failed; return why."""
        waiting, name, why = self.waiting, str(run.target), str(error)
        if not isinstance(error, UserError):
            write_text(run.folders.error, "".join(traceback.format_exception(error)))
            why = f"{type(error).__name__}: {why.splitlines()[0] if why else ''} ({run.folders.error})"
        waiting.failures[name] = why
        console.target_failed(waiting.over, len(waiting.targets), name, why)
        return why

    @property
    def _outputs(self) -> Path:
        return Path(self.config.paths.outputs).expanduser()

    def _show(self) -> None:
        """Update the page if that takes a negligible share of the time since the last update."""
        begun = time.monotonic()
        if self.waiting.results and begun - self._shown > max(_SECONDS, 50 * self._showing):
            try:
                write_review(self._outputs)
            except CannotWriteError:
                raise
            except (UserError, OSError) as error:  # other processes write to the folder; the next update may succeed
                console.page_failed(error)
            self._shown = time.monotonic()
            self._showing = self._shown - begun


def _at_once(config: DictConfig) -> int:
    """How many targets can be trained together without affecting each other."""
    own_gradients = config.trainer.get("gradient_clip_val") is None and config.trainer.precision != "16-mixed"
    if not build.holds_many(config) or not own_gradients:  # both would mix the targets' gradients
        return 1
    return int(config.batch) if config.batch != "auto" else _AT_ONCE if on_card(config) else 1


def on_card(config: DictConfig) -> bool:
    """Whether the targets are trained on a card."""
    return config.trainer.accelerator != "cpu" and torch.cuda.is_available()
