"""Threads that write files beside the training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
_MOST = 16


class Writers:
    """Writes files: the caller at once, until threads are started.

    What is written for the same target is written in order, so that a checkpoint is never there before the pictures
    that it goes with.
    """

    def __init__(self) -> None:
        self._threads: list[ThreadPoolExecutor] = []
        self._due: list[Future[object]] = []

    def start(self) -> None:
        """Start a thread for each processor."""
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._threads = [ThreadPoolExecutor(1, thread_name_prefix="genviz-writer") for _ in range(min(count, _MOST))]

    @property
    def run_beside(self) -> bool:
        """Whether threads write, not the caller."""
        return bool(self._threads)

    def write(self, target: int, write: Callable[[], object]) -> None:
        """Have ``write`` called, after all that is to be written for this target already."""
        if not self._threads:
            write()
            return
        self._due.append(self._threads[target % len(self._threads)].submit(write))

    def map(self, make: Callable[[Given], Made], given: Iterable[Given]) -> list[Made]:
        """What ``make`` returns for each target's part of ``given``, in order."""
        if not self._threads:
            return [make(each) for each in given]
        made = [self._threads[number % len(self._threads)].submit(make, each) for number, each in enumerate(given)]
        return [each.result() for each in made]

    def wait(self) -> None:
        """Wait until all is written.

        Raises:
            UserError: something could not be written; the rest is.
        """
        due, self._due = self._due, []
        errors = [error for each in due if (error := each.exception()) is not None]
        if errors:
            raise errors[0]

    def close(self) -> None:
        """End the threads when all is written; raises as `wait` does. Safe to call twice."""
        threads, self._threads = self._threads, []
        try:
            self.wait()
        finally:
            for thread in threads:
                thread.shutdown()

    def abandon(self) -> None:
        """End the threads after an error, of which a second one would tell nothing new."""
        with suppress(Exception):
            self.close()
