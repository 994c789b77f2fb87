"""Processes in which Hydra's launchers run jobs: they end with the program that started them, and save first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from genviz.training.signals import ENDING, EndedError, handling, pass_on

_PATIENCE = 1.0  # seconds between two checks of the parent
_ended_by: list[int] = []  # the exit code of this process's job that a signal ended


class JobError(Exception):
    """A job in a launcher's process ended with an exit code other than 0, having printed why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def begin() -> None:
    """Prepare this process, in which a launcher runs a job, for signals and for the end of its parent.

    Raises:
        JobError: a signal has ended the job before, so no further one is begun.
    """
    if _ended_by:
        raise JobError(_ended_by[0])
    if multiprocessing.parent_process() is not None:  # a terminal's Ctrl-C reaches the parent, too, which passes it on
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not any(thread.name == _watch.__name__ for thread in threading.enumerate()):
        threading.Thread(target=_watch, args=(os.getppid(),), name=_watch.__name__, daemon=True).start()


def end(code: int) -> None:
    """End the job with this exit code.

    Raises:
        JobError: it is not 0. The launcher's process goes on, and has exit codes of its own.
        SystemExit: a signal ended the job, and the launcher has queued it again.
    """
    if code > 128:
        if pass_on(signal.Signals(code - 128)):
            raise SystemExit(code)
        _ended_by.append(code)
        if (
            multiprocessing.parent_process() is not None
        ):  # schedulers send signals to parent and child: twice for this one
            for which in ENDING:
                signal.signal(which, signal.SIG_IGN)
    if code:
        raise JobError(code)


@contextmanager
def ending_first(begun: Callable[[], bool]) -> Iterator[None]:
    """On a signal, end the worker processes by SIGTERM and wait for the launcher: they save and return.

    Left alone, launchers kill them. A second signal does not wait.

    Args:
        begun: whether a job has begun in this process; its child processes are then that job's.

    Raises:
        EndedError: a signal ended the workers.
    """
    noticed: list[signal.Signals] = []
    before = {each: signal.getsignal(each) for each in ENDING}

    def tell(number: int, frame: FrameType | None) -> None:
        workers = [] if noticed or begun() else multiprocessing.active_children()
        noticed.append(signal.Signals(number))
        for worker in workers:
            worker.terminate()
        if not workers and callable(handler := before[signal.Signals(number)]):
            handler(number, frame)

    with handling({each: tell for each, handler in before.items() if callable(handler)}):
        try:
            yield
        except Exception as error:  # a worker's, or the launcher's about one that had not begun
            if noticed:
                raise EndedError(noticed[0]) from error
            raise


def _watch(parent: int) -> None:
    """End this process, as by SIGTERM, once its parent has ended; launchers do not see to that."""
    while os.getppid() == parent:
        time.sleep(_PATIENCE)
    if not _ended_by:
        os.kill(os.getpid(), signal.SIGTERM)
    while not _ended_by:  # its job saves
        time.sleep(_PATIENCE)
    os._exit(_ended_by[0])
