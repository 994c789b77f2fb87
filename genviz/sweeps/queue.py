"""The targets of a sweep: which are done, which are waiting, and which can be trained together next."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from omegaconf import DictConfig

from genviz.errors import CannotWriteError, UserError
from genviz.interfaces import Classifier
from genviz.targets.grammar import Target
from genviz.training import build, fingerprint, naming
from genviz.training.run import Run
from genviz.training.run_folders import RunFolders, TakenError


class Waiting:
    """The targets of a sweep.

    Attributes:
        results: of finished targets, by name, whichever process made them.
        failures: why a target failed, by name.
        by_themselves: targets that must not share a batch.
    """

    def __init__(self, config: DictConfig, targets: Sequence[Target], classifier: Classifier) -> None:
        self.config, self.targets, self.classifier = config, targets, classifier
        self.names, self._generator_sha256 = naming.names(config), build.generator_sha256(config)
        self.results: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, str] = {}
        self.by_themselves: set[str] = set()
        self._identities: dict[object, dict[str, str]] = {}
        self._runs: dict[object, Run] = {}
        self._left = list(targets)
        self._through = build.feature_transform(config)

    @property
    def over(self) -> int:
        """How many are done or have failed."""
        return len(self.results) + len(self.failures)

    def look(self) -> list[Target]:
        """The waiting targets, after adding what has been finished in the meantime, by any process, to the results."""
        for target in self._left:
            self.is_done(target)
        self._left = [target for target in self._left if not self._is_over(target)]
        return self._left

    def folders(self, target: Target) -> RunFolders:
        """The files and folders of the target's run."""
        return RunFolders.of(self.config, target, self.names)

    def claim(self, count: int, claims: ExitStack) -> list[Run]:
        """The next runs, at most ``count``, that can be trained together; none if other processes have the rest.

        Args:
            claims: locks them against other processes until it is closed.

        Raises:
            CannotWriteError: the folder cannot be written to.
        """
        runs: list[Run] = []
        self._left = [target for target in self._left if not self._is_over(target)]
        for target in self._left:
            alone = str(target) in self.by_themselves
            if runs and (alone or self._follows(target) != self._follows(runs[0].target)):
                continue
            try:
                with ExitStack() as held:
                    held.enter_context(self.folders(target).claimed())
                    if self.is_done(target):  # finished by another process
                        continue
                    run = self.run(target)
                    updates = run.updates
                    if runs and updates != runs[0].updates:
                        continue
                    claims.enter_context(held.pop_all())
            except TakenError:
                continue
            except CannotWriteError:
                raise
            except UserError as error:
                self.failures[str(target)] = str(error)
                continue
            runs.append(run)
            if alone or len(runs) == count:
                break
        return runs

    def run(self, target: Target) -> Run:
        """The target's run; its settings are worked out once for all targets that they are the same for."""
        alike = self._runs.get(self._follows(target))
        if alike is not None:
            return alike.of(target)
        run = Run(self._settled(target), target, self.classifier, self._generator_sha256, self.names)
        self._runs[self._follows(target)] = run
        return run

    def _is_over(self, target: Target) -> bool:
        return str(target) in self.results or str(target) in self.failures

    def is_done(self, target: Target) -> bool:
        """Look for the target's result and keep it; return whether there is one."""
        result = self.folders(target).read_result(self._identity(target), self.config.updates)
        if result is not None:
            self.results[str(target)] = result
        return result is not None

    def _settled(self, target: Target) -> DictConfig:
        """The configuration for this target alone."""
        config = copy.deepcopy(self.config)
        config.target, config.targets = str(target), None
        build.settle(config, target, self.classifier)
        return config

    def _identity(self, target: Target) -> dict[str, str]:
        """Every setting that the target's picture depends on."""
        follows = self._follows(target)
        if follows not in self._identities:
            self._identities[follows] = fingerprint.of_training(
                self._settled(target), target, self.classifier.weights_sha256, self._generator_sha256
            )
        shared = {name: value for name, value in self._identities[follows].items() if name != "target.classes"}
        return shared | fingerprint.of_target(self.config, target)

    def _follows(self, target: Target) -> object:
        """What follows from a target's layers: its settings, and whether its features are changed at random."""
        stride = self.classifier.stride(target.layers) if self.config.generator.get("margin") == build.AUTO else 0
        return stride, self._through is not None and self._through.changes(self.classifier, target.layers)
