"""The pictures that a command is given, and their names."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.files import check_file, prepare_folder, short_name, write_text
from genviz.images.folders import expanded, find_pictures
from genviz.images.pictures import UNREADABLE, read_picture, read_upright, resize

_TOLERANCE = 0.01  # of a value outside [0, 1], as antialiasing leaves it
_LONGEST = 80  # characters of a name


def readable(path: Path | str) -> str:
    """A path in printable form, as a name need not be UTF-8."""
    return str(path).encode(errors="backslashreplace").decode()


def given_pictures(given: Any, setting: str = "image") -> list[Path]:
    """The files that a setting names: a picture, a folder of pictures, a pattern, or a list of these.

    Raises:
        UserError: there is none, or one is no file; a lone one cannot be decoded.
    """
    found: list[Path] = []
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, str) or not one:
            raise UserError(f"{setting}={one} must be a picture, a folder of pictures, or a list of them")
        path = expanded(one)
        found += find_pictures(one, setting).pictures if os.path.isdir(path) or "*" in one else [path]  # noqa: PTH112
    if not found:
        raise UserError(f"{setting}=[] names no picture; give a picture, a folder of pictures, or a list of them")
    for path in found if len(found) == 1 else [path for path in found if not os.path.isfile(path)]:  # noqa: PTH113
        read_upright(path)
    return found


def named(files: Sequence[Path]) -> list[str]:
    """A name for each file, unlike the others, that a folder can have."""
    names: dict[str, None] = {}
    seen: Counter[str] = Counter()  # how often each stem came, or a number after it was taken
    for path in files:
        stem = short_name(re.sub(r"[^\w+@.-]", "-", readable(path.stem))[:_LONGEST] or "picture")
        while (name := f"{stem}-{seen[stem]}" if seen[stem] else stem) in names:
            seen[stem] += 1
        names[name] = None
    return list(names)


def folder_for(parent: Path, name: str, source: Path | str | Sequence[Path | str], taken: Collection[str] = ()) -> Path:
    """The folder in ``parent`` for what is made of ``source``: ``name``, or NAME-2, … where that is another's.

    Its ``source.txt`` says whose it is. A folder without, of an earlier version, is anybody's.

    Args:
        source: the input, or all of them.
        taken: names that it may not have.
    """
    return parent / name_for(name, source, lambda one: parent / one / "source.txt", taken)


def name_for(
    name: str,
    source: Path | str | Sequence[Path | str],
    note: Callable[[str], Path],
    taken: Collection[str] = (),
) -> str:
    """The first of NAME, NAME-2, … whose ``note``, a file that says whose it is, is missing or says ``source``.

    It is written, with the resolved paths.
    """
    several = [source] if isinstance(source, Path | str) else source
    own = "".join(f"{readable(expanded(one).resolve())}\n" for one in several)
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(one for one in names if one not in taken and _says(note(one), own))


def _says(note: Path, own: str) -> bool:
    """Whether a note says ``own``; a missing or empty one is written, by one process alone."""
    prepare_folder(note.parent)
    if not _text(note):
        _leave(note, own)
    return _text(note) == own


def _text(note: Path) -> str | None:
    """What a note says; None if it cannot be read, or is missing."""
    try:
        return check_file(note).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _leave(note: Path, own: str) -> None:
    """Write a note, whole from the start, unless another process has."""
    whole = note.with_name(f".{note.name}.{uuid4().hex}")
    write_text(whole, own)
    try:
        with suppress(OSError):
            if note.stat().st_size == 0:  # left by a full disk
                note.unlink()
        os.link(whole, note)
    except FileExistsError:
        pass
    except OSError:  # a file system without hard links
        if not note.exists():
            whole.replace(note)
    finally:
        whole.unlink(missing_ok=True)


def decoded(files: Sequence[Path], size: tuple[int, int]) -> Iterator[tuple[int, Tensor]]:
    """Each file that can be decoded, its number and its picture, RGB in [0, 1], (1, 3, *size); others are told."""
    for number, path in enumerate(files):
        try:
            yield number, resize(read_picture(path)[None].float() / 255, size)
        except UNREADABLE:
            print(f"left out: {readable(path)} cannot be decoded", file=sys.stderr, flush=True)


def as_pictures(images: Any, size: tuple[int, int]) -> Tensor:
    """The pictures, resized to ``size``, RGB in [0, 1], (n, 3, h, w).

    Raises:
        UserError: one cannot be read, or a tensor is none of pictures.
    """
    if isinstance(images, Tensor):
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4 or images.shape[1] != 3 or not len(images):
            raise UserError(f"images of shape {tuple(images.shape)} must be RGB in [0, 1], (n, 3, h, w)")
        if not images.is_floating_point():
            kind = str(images.dtype).removeprefix("torch.")
            raise UserError(f"images of type {kind} must be floats in [0, 1]; for bytes, give images / 255")
        images = images.detach().float()
        if not bool((images >= -_TOLERANCE).all() and (images <= 1 + _TOLERANCE).all()):
            low, high = float(images.min()), float(images.max())
            raise UserError(f"images from {low:.4g} to {high:.4g} must be RGB in [0, 1]")
        return resize(images, size)
    files = [images] if isinstance(images, str | Path) else list(images) if isinstance(images, Sequence) else []
    if not files or not all(isinstance(file, str | Path) for file in files):
        raise UserError("images must be a file, a list of files, or a tensor (n, 3, h, w)")
    return torch.cat([resize(read_upright(expanded(file)), size) for file in files])
