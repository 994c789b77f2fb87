"""Rows of numbers, one for each file, computed once and kept: they grow, and outlive whoever writes them."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from genviz.errors import CannotWriteError
from genviz.files import prepare_folder, set_aside
from genviz.training.run_folders import claim

_INDEX, _LOCK = "files.jsonl", ".lock"
_SOON, _AGAIN = 2.0, 0.5  # seconds: between two writes; until another look at a taken lock


class Key(NamedTuple):
    """A file, as it was when its row was computed."""

    path: str
    """Absolute."""
    size: int
    changed: int
    """In nanoseconds."""


def key_of(path: Path) -> Key:
    """The file ``path`` as it is now.

    Raises:
        OSError: it is gone.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - keeps the name of a link
    facts = path.stat()
    return Key(str(path), facts.st_size, facts.st_mtime_ns)


class Column(NamedTuple):
    """Numbers of each row: so many, of this type."""

    width: int
    kind: str
    """NumPy's name, ``float16``."""


class Store:
    """A folder with one ``.npy`` file for each column, to which rows are appended, and an index of the files.

    Rows are on the disk before their files are in the index, so that what a killed process leaves behind, half a row or
    rows without a file, is cut off by the next. Only one process at a time has the store open.

    >>> import tempfile, numpy, pathlib
    >>> from genviz.retrieval.store import Column, Key, Store
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with Store(folder, {"features": Column(2, "float16")}) as store:
    ...     store.add([Key("/a.png", 1, 2)], {"features": numpy.array([[0.5, 1.0]])})
    >>> with Store(folder, {"features": Column(2, "float16")}) as store:
    ...     store.places[Key("/a.png", 1, 2)], store.column("features").tolist()
    (0, [[0.5, 1.0]])

    Args:
        folder: its own.
        columns: by name.

    Attributes:
        places: each known file's row.

    Raises:
        UserError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, columns: Mapping[str, Column]) -> None:
        self._folder, self._columns = folder, dict(columns)
        self.places: dict[Key, int] = {}
        self._rows = 0
        self._waiting: list[tuple[list[Key], dict[str, np.ndarray]]] = []
        self._written = time.monotonic()
        self._lock = _waited(folder)

    def __enter__(self) -> Store:
        self._lock.__enter__()
        with _told(self._folder):
            self._recover()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, OSError | CannotWriteError):  # what was computed until an interrupt is kept
                self.flush()
        finally:
            self._lock.__exit__(kind, error, traceback)

    def add(self, keys: list[Key], values: Mapping[str, np.ndarray]) -> None:
        """Append rows; they are on the disk a few seconds later.

        Args:
            values: each column's, (n, width).
        """
        kept = {name: np.ascontiguousarray(values[name], kind) for name, (_, kind) in self._columns.items()}
        self._waiting.append((keys, kept))
        if time.monotonic() - self._written > _SOON:
            self.flush()

    def flush(self) -> None:
        """Write what has been added, the rows before the index.

        Raises:
            UserError: the disk is full, or the folder is not writable.
        """
        if not self._waiting:
            return
        keys = [key for some, _ in self._waiting for key in some]
        with _told(self._folder):
            for name in self._columns:
                with self._path(name).open("r+b") as file:
                    file.seek(0, os.SEEK_END)
                    for _, values in self._waiting:
                        file.write(values[name].data)
                    self._count(file, name, self._rows + len(keys))
                    _to_disk(file)
            with (self._folder / _INDEX).open("ab") as file:
                file.write(b"".join(json.dumps(key).encode() + b"\n" for key in keys))
                _to_disk(file)
        self.places |= {key: self._rows + number for number, key in enumerate(keys)}
        self._rows += len(keys)
        self._waiting, self._written = [], time.monotonic()

    def column(self, name: str) -> np.ndarray:
        """A column's rows so far, (n, width), mapped into memory; they stay valid when the store is closed."""
        width, kind = self._columns[name]
        if self._rows == 0:
            return np.empty((0, width), kind)
        path = self._path(name)
        offset = path.stat().st_size - self._rows * width * np.dtype(kind).itemsize
        return np.memmap(path, kind, "r", offset, (self._rows, width))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npy"

    def _recover(self) -> None:
        """Read the index, and cut it and the columns to the rows that are whole in all of them."""
        index = self._folder / _INDEX
        for path in (index, *map(self._path, self._columns)):
            if path.is_symlink() or (path.exists() and not path.is_file()):
                set_aside(path)
        known, ends = _indexed(index)
        rows = min([len(known), *(self._whole(name) for name in self._columns)])
        index.touch()
        with index.open("r+b") as file:
            file.truncate(ends[rows])
        for name in self._columns:
            path = self._path(name)
            path.touch()
            with path.open("r+b") as file:
                file.truncate(len(self._header(name, 0)) + rows * self._size(name))
                self._count(file, name, rows)
        self.places = {key: row for row, key in enumerate(known[:rows])}
        self._rows = rows

    def _whole(self, name: str) -> int:
        """The whole rows of a column's file; 0 if it is missing, or is no such column."""
        path = self._path(name)
        if not path.is_file():
            return 0
        with path.open("rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                shape, fortran, kind = np.lib.format.read_array_header_1_0(file)
            except (ValueError, EOFError):
                return 0
            start = file.tell()
        width, wanted = self._columns[name]
        alike = version == (1, 0) and not fortran and kind == np.dtype(wanted) and shape[1:] == (width,)
        return (path.stat().st_size - start) // self._size(name) if alike else 0

    def _size(self, name: str) -> int:
        """Bytes of a row."""
        width, kind = self._columns[name]
        return width * np.dtype(kind).itemsize

    def _header(self, name: str, rows: int) -> bytes:
        """NumPy's, which leaves room for any number of rows, so that its length never changes."""
        width, kind = self._columns[name]
        header = io.BytesIO()
        said = {"descr": np.lib.format.dtype_to_descr(np.dtype(kind)), "fortran_order": False, "shape": (rows, width)}
        np.lib.format.write_array_header_1_0(header, said)
        return header.getvalue()

    def _count(self, file: IO[bytes], name: str, rows: int) -> None:
        file.seek(0)
        file.write(self._header(name, rows))
        file.seek(0, os.SEEK_END)


def _indexed(index: Path) -> tuple[list[Key], list[int]]:
    """The files in an index, up to the first line that is none, and where each of them begins and the last ends."""
    known: list[Key] = []
    ends = [0]
    for line in index.read_bytes().splitlines(keepends=True) if index.is_file() else ():
        try:
            path, size, changed = json.loads(line)
        except (ValueError, TypeError, RecursionError):
            break
        if not (line.endswith(b"\n") and isinstance(path, str) and type(size) is int and type(changed) is int):
            break
        known.append(Key(path, size, changed))
        ends.append(ends[-1] + len(line))
    return known, ends


def _to_disk(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CannotWriteError(
            f"cannot write {folder}: {error.strerror or error}; free some space or choose another paths.outputs"
        ) from error


@contextmanager
def _waited(folder: Path) -> Iterator[None]:
    """Lock the folder; if another process has it, say so and wait."""
    prepare_folder(folder)
    told = False
    while (lock := claim(folder / _LOCK)) is None:
        if not told:
            tqdm.write(f"waiting for another process, which adds to {folder}", file=sys.stderr)
            told = True
        time.sleep(_AGAIN)
    with lock:
        yield


def rows_of(places: Mapping[Key, int], keys: Iterable[Key]) -> np.ndarray:
    """The rows of these files, (n,)."""
    return np.fromiter((places[key] for key in keys), np.int64)
