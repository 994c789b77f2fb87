"""The signals by which people and schedulers end a program."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
ENDING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Ctrl-C; the end of a job; a closed terminal; what schedulers send some time before a job's end (two of them); the end
of its processor time."""
_TWICE = 1.0  # seconds; sooner, the second SIGINT is the first one, passed on by a launcher


class EndedError(KeyboardInterrupt):
    """A signal ended the program where there was nothing to save first."""

    def __init__(self, which: signal.Signals) -> None:
        super().__init__(which.name)
        self.signal = which


@contextmanager
def noticing(which: Sequence[signal.Signals] = ENDING) -> Iterator[list[signal.Signals]]:
    """Collect these signals instead of acting on them; a second SIGINT interrupts.

    Others can arrive several times, from a scheduler, from its launcher, and to the whole group.
    """
    noticed: list[signal.Signals] = []
    since = 0.0

    def notice(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - Python's signature
        nonlocal since
        again = number == signal.SIGINT and signal.SIGINT in noticed and time.monotonic() - since > _TWICE
        if not noticed or (number == signal.SIGINT and signal.SIGINT not in noticed):
            since = time.monotonic()
        noticed.append(signal.Signals(number))
        if again:
            raise KeyboardInterrupt

    with handling({each: notice for each in which if signal.getsignal(each) is not signal.SIG_IGN}):  # under nohup
        yield noticed


@contextmanager
def ending(last_words: Callable[[signal.Signals], str] | None = None) -> Iterator[None]:
    """End with a line where a signal would end the program without a word.

    Args:
        last_words: the line on standard error; the program then ends at once, as an exception that reaches C++ code
            can abort it. None: raise `EndedError`, for a process that others depend on.
    """

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        which = signal.Signals(number)
        if last_words is None:
            raise EndedError(which)
        with suppress(OSError, RuntimeError):  # RuntimeError: the signal came within a write
            sys.stdout.flush()
        with suppress(OSError):
            os.write(2, f"{last_words(which)}\n".encode())
        os._exit(128 + number)

    with handling({each: end for each in ENDING if signal.getsignal(each) is signal.SIG_DFL}):
        yield


def pass_on(which: signal.Signals) -> bool:
    """Whether the launcher of this process has a handler of its own for the signal, which is then called.

    submitit's sends its job to the queue again.
    """
    handler = signal.getsignal(which)
    if not callable(handler) or handler is signal.default_int_handler:
        return False
    signal.raise_signal(which)
    return True


@contextmanager
def handling(handlers: Mapping[signal.Signals, Any]) -> Iterator[None]:
    """Handle these signals so, in the main thread; Python can handle them only there."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {which: signal.signal(which, handler) for which, handler in handlers.items()}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, signal.SIG_DFL if handler is None else handler)
