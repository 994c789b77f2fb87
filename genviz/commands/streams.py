"""The standard streams: a program can be started without them, and what takes its output can go or be full."""

from __future__ import annotations

import errno
import os
import signal
import sys

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
UNREAD = 128 + getattr(signal, "SIGPIPE", 13)
"""The exit code of a program that nobody reads any more, as shells have it."""


def complete() -> None:
    """Open the null device for the standard streams that are closed, so that no other file takes their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the program


def let_go() -> None:
    """Send what is still to be printed nowhere, since nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def let_go_if_full() -> None:
    """Send what is still to be printed nowhere, if the standard output cannot be written; another file may be full."""
    try:
        sys.stdout.flush()
    except OSError:
        let_go()  # or Python would fail to write it at its end, and exit with 120


def why_full(error: OSError, command: str = "the same command") -> str | None:
    """One line about an output that cannot be written, and the ``command`` that continues; None for other errors."""
    if error.errno not in _FULL:
        return None
    what = "the output" if error.filename is None else error.filename
    return f"cannot write {what}: {error.strerror}; free some space; {command} continues"


def say(line: str) -> None:
    """Print a line to the standard error, if that can be written."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # or Python would fail to write it at its end
