"""MATLAB's files of version 7.3, which are HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from genviz.classifiers.weight_files.contents import bar

_DEEPEST = 32  # structs in cells in structs
_LARGEST = 100  # how much smaller than its contents a compressed array may be
_FREE = 1 << 26  # bytes that need no such check


def is_hdf5(path: Path) -> bool:
    """Whether ``path`` is of version 7.3."""
    return bool(h5py.is_hdf5(path))


def read(path: Path) -> dict[str, Any]:
    """The variables in ``path``, as `genviz.classifiers.weight_files.mat_v5.read` gives them.

    Raises:
        ValueError: it is not such a file, or is damaged.
    """
    with h5py.File(path, "r") as file, bar(path.stat().st_size, path) as progress:
        reader = _Reader(file, path.stat().st_size, progress)
        return reader.fields(file, 0)


class _Reader:
    def __init__(self, file: h5py.File, size: int, progress: Any) -> None:
        self.file, self.size, self.progress = file, size, progress
        self.known: dict[int, Any] = {}  # what several references lead to is read once
        self.open: set[int] = set()

    def fields(self, group: h5py.Group, depth: int) -> dict[str, Any]:
        """The members of a group, by name."""
        found = {}
        for name in group:
            if name.startswith("#"):  # where cells are kept
                continue
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link to somewhere else")
            found[str(name)] = self.value(group[name], depth + 1)
        return found

    def value(self, item: Any, depth: int) -> Any:
        """A variable, a field or an element of a cell."""
        place = int(h5py.h5o.get_info(item.id).addr)
        if place in self.known:
            return self.known[place]
        if depth > _DEEPEST or place in self.open:
            raise ValueError(f"it is more than {_DEEPEST} structs deep")
        self.open.add(place)
        self.known[place] = self._value(item, depth)
        self.open.discard(place)
        return self.known[place]

    def _value(self, item: Any, depth: int) -> Any:
        kind = _said(item, "MATLAB_class")
        if isinstance(item, h5py.Group):
            return self._struct(item, depth)
        if not isinstance(item, h5py.Dataset):
            return None
        if "MATLAB_empty" in item.attrs:
            return {"cell": [], "struct": [], "char": ""}.get(kind, np.empty((0, 0)))
        self._check(item)
        if item.dtype == h5py.ref_dtype:  # a cell, or a field of an array of structs
            return _Many([self.value(self._followed(one), depth + 1) for one in np.ravel(item[()])], kind == "cell")
        if item.dtype.kind not in "fiub":
            return None
        numbers = item[()]
        self.progress.update(numbers.nbytes)
        if kind == "char":
            return "".join(chr(int(code)) for code in np.ravel(numbers) if 0 < code < 0xD800)
        return np.asarray(numbers).T  # MATLAB counts the first dimension first

    def _struct(self, group: h5py.Group, depth: int) -> Any:
        """A struct as a dict; an array of them, whose fields are arrays of references, as a list."""
        found = self.fields(group, depth)
        counts = {len(value) for value in found.values() if isinstance(value, _Many) and not value.cell}
        if len(counts) != 1 or not all(isinstance(value, _Many) and not value.cell for value in found.values()):
            return found
        return [{name: value[number] for name, value in found.items()} for number in range(counts.pop())]

    def _followed(self, reference: Any) -> Any:
        if not reference:
            raise ValueError("a reference leads nowhere")
        return self.file[reference]

    def _check(self, item: h5py.Dataset) -> None:
        """Refuse what is kept outside the file, or is larger than the file can hold."""
        if item.external or item.is_virtual:
            raise ValueError(f"{item.name} is kept in another file")
        kept = min(int(item.id.get_storage_size()), self.size)
        if item.nbytes > max(kept, _FREE if item.chunks else 0, _LARGEST * kept if item.chunks else 0):
            raise ValueError(f"{item.name} claims {item.nbytes:,} bytes in {kept:,}")


class _Many(list[Any]):
    """The elements that references lead to."""

    def __init__(self, values: list[Any], cell: bool) -> None:
        super().__init__(values)
        self.cell = cell


def _said(item: Any, name: str) -> str:
    said = item.attrs.get(name, b"")
    return said.decode("latin-1") if isinstance(said, bytes) else str(said)
