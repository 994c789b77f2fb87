"""Pictures in folders."""

from __future__ import annotations

import errno
import os
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from genviz.errors import UserError
from genviz.files import sha256

T = TypeVar("T")
_FIRST = 1024  # bytes of a file, in which most of those of the same size differ
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class Found(NamedTuple):
    """The files in a folder and its subfolders, sorted by name."""

    pictures: list[Path]
    others: list[Path]
    """Files whose names are not those of pictures."""


def find_pictures(root: str | Path, setting: str = "data.root") -> Found:
    """The pictures in ``root`` and its subfolders, sorted by name; hidden files and folders are ignored.

    Args:
        root: a folder, or a folder with a pattern, ``dreams/**/final*.png``.
        setting: the folder's setting on the command line.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not isinstance(root, str | Path):
        raise UserError(f"{setting}={root} must be one folder with pictures in it")
    folder, pattern = apart(root)
    if not os.path.isdir(folder):  # noqa: PTH112 - nor one that cannot be looked into
        raise UserError(f"{setting}={root}: there is no such folder; give one with pictures in it")
    try:
        if not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(root))
        everything = set(folder.glob(pattern or "**/*"))
        found = {path for path in everything if path.is_file()}
    except ValueError as error:  # before Python 3.13, ** is a whole part
        raise UserError(f"{setting}={root}: {error}; a pattern looks like dreams/**/final*.png") from error
    except OSError as error:  # one below is gone meanwhile, or cannot be looked into
        raise UserError(
            f"{setting}={root}: {error.filename} cannot be read ({error.strerror}); give another folder"
        ) from error
    for path in everything - found:
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            _tell_closed(path)
    files = sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        what = f"no picture in it matches {pattern}" if pattern else "no picture in it or its subfolders"
        raise UserError(f"{setting}={root}: {what}; pictures are {', '.join(SUFFIXES)} files")
    return Found(pictures, [path for path in files if path.suffix.lower() not in SUFFIXES])


@cache
def _tell_closed(folder: Path) -> None:
    """Say once that a folder cannot be looked into."""
    name = str(folder).encode(errors="backslashreplace").decode()
    print(f"left out: the folder {name} cannot be read", file=sys.stderr, flush=True)


def expanded(path: str | Path) -> Path:
    """``path`` with its ``~`` replaced; one whose home folder is unknown stays, and there is no such file."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def apart(root: str | Path) -> tuple[Path, str]:
    """The folder in ``root``, and the pattern for its files, which starts at the first part with a ``*``."""
    path = expanded(root)
    first = next((number for number, part in enumerate(path.parts) if "*" in part), len(path.parts))
    return Path(*path.parts[:first]), "/".join(path.parts[first:])


def distinct(pictures: Sequence[Path]) -> list[Path]:
    """The pictures, less the copies: those with the same bytes as one before.

    Only files whose size and first bytes are those of another are read.
    """
    alike = list(pictures)
    for trait in (_size, _beginning):
        traits = {path: trait(path) for path in alike}
        counts = Counter(traits.values())
        alike = [path for path in alike if counts[traits[path]] > 1]
    first, suspects = dict[str | Path, Path](), set(alike)
    for path in pictures:
        first.setdefault(_content(path) if path in suspects else path, path)
    return list(first.values())


def tell_copies(count: int) -> None:
    """Say how many copies are left out, if any."""
    if count:
        what = "a copy of another picture" if count == 1 else f"{count:,} copies of other pictures"
        print(f"left out: {what}", file=sys.stderr, flush=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # gone meanwhile
        return None


def _beginning(path: Path) -> tuple[int | None, bytes]:
    """Of a file: its size and its first bytes."""
    try:
        with path.open("rb") as file:
            return _size(path), file.read(_FIRST)
    except OSError:
        return None, b""


def _content(path: Path) -> str | Path:
    """A digest of a file; its path, if it cannot be read."""
    try:
        return sha256(path)
    except OSError:
        return path


class Halves(NamedTuple):
    """The pictures of a folder, in two halves."""

    training: list[Path]
    held_out: list[Path]


def halves(pictures: Sequence[Path]) -> Halves:
    """The first, third, … picture by name to train with; the second, fourth, … are held out to measure with."""
    ordered = sorted(pictures)
    return Halves(ordered[::2], ordered[1::2])


def evenly(pictures: Sequence[T], most: int) -> list[T]:
    """At most so many of the pictures, evenly spaced."""
    return [pictures[number * len(pictures) // most] for number in range(most)] if len(pictures) > most else [*pictures]
