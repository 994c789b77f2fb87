"""MATLAB's files from version 5 to 7: arrays, structs, cells and text, and nothing that could be run.

scipy's reader believes the sizes that a file claims: 200 bytes that claim a text of 20,000 x 20,000 characters cost it
3 GB and 20 seconds. Here no size is believed that the bytes present do not bear out.

Format: MathWorks, MAT-File Format, "Level 5 MAT-file format".
"""

from __future__ import annotations

import math
import mmap
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genviz.classifiers.weight_files.contents import bar

_HEADER = 128  # bytes of text, version and byte order
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXT = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCT, _OBJECT, _CHAR, _SPARSE, _OPAQUE = 1, 2, 3, 4, 5, 17
_NUMERIC = range(6, 16)
_DEEPEST = 32  # structs in cells in structs
_LARGEST = 100  # how much smaller than its contents a compressed variable may be; weights reach 1.2
_FREE = 1 << 26  # bytes that need no such check
_BLOCK = 1 << 20  # bytes decompressed at once


class _Element(NamedTuple):
    kind: int
    data: memoryview
    end: int
    """Where the next element begins."""


def read(path: Path) -> dict[str, Any]:
    """The variables in ``path``: structs as dicts, arrays of them and cells as lists, text as str, numbers as arrays.

    Arrays are views of the file, in MATLAB's order of dimensions. What is none of these, such as functions and objects
    of classes, is None.

    Raises:
        ValueError: it is not such a file, or is damaged; the message is one line.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else memoryview(b"")
    if size < _HEADER or bytes(data[126:128]) not in (b"IM", b"MI"):
        raise ValueError("it is not a MATLAB file of version 5 to 7.3")
    reader = _Reader("<" if bytes(data[126:128]) == b"IM" else ">")
    found, at = {}, _HEADER
    with bar(size, path) as progress:
        while at < size:
            element = reader.element(data, at)
            if element.kind == _COMPRESSED:
                element = reader.element(_decompressed(element.data, reader.order, progress), 0)._replace(
                    end=element.end
                )
            else:
                progress.update(element.end - at)
            if element.kind == _MATRIX:
                name, value = reader.matrix(element.data, 0)
                found[name] = value
            at = element.end
    return found


def _decompressed(data: memoryview, order: str, progress: Any) -> memoryview:
    """The element in a compressed one."""
    inflate, start, room, filled = zlib.decompressobj(), b"", memoryview(b""), 0
    try:
        for at in range(0, len(data), _BLOCK):
            given = inflate.unconsumed_tail + bytes(data[at : at + _BLOCK])
            if len(start) < 8:
                start += inflate.decompress(given, 8 - len(start))
                if len(start) < 8:
                    continue
                (size,) = struct.unpack(f"{order}I", start[4:])
                if size > max(_FREE, _LARGEST * len(data)):
                    raise ValueError(f"it claims {size:,} bytes in {len(data):,}")
                room, given = memoryview(bytearray(8 + size)), inflate.unconsumed_tail
                room[:8], filled = start, 8
            if filled < len(room):
                part = inflate.decompress(given, len(room) - filled)
                room[filled : filled + len(part)] = part
                filled += len(part)
            progress.update(min(_BLOCK, len(data) - at))
    except zlib.error as error:
        raise ValueError(f"its compression is damaged: {error}") from error
    return room[:filled]


class _Reader:
    def __init__(self, order: str) -> None:
        self.order = order

    def element(self, data: memoryview, at: int) -> _Element:
        """The element that begins at ``at``."""
        if at + 8 > len(data):
            raise ValueError("it is cut off")
        kind, size = struct.unpack_from(f"{self.order}II", data, at)
        if kind >> 16:  # a small one, with its data in the place of the size
            size, kind = kind >> 16, kind & 0xFFFF
            if size > 4:
                raise ValueError("an element is damaged")
            return _Element(kind, data[at + 4 : at + 4 + size], at + 8)
        start, end = at + 8, at + 8 + size
        if end > len(data):
            raise ValueError("it is cut off")
        return _Element(kind, data[start:end], end if kind == _COMPRESSED else min(end + -size % 8, len(data)))

    def matrix(self, data: memoryview, depth: int) -> tuple[str, Any]:
        """The name and the value of a matrix element."""
        if not len(data):
            return "", np.empty((0, 0))
        if depth > _DEEPEST:
            raise ValueError(f"it is more than {_DEEPEST} structs deep")
        flags = self.element(data, 0)
        if flags.kind != 6 or len(flags.data) != 8:
            raise ValueError("a matrix is damaged")
        bits = struct.unpack(f"{self.order}I", flags.data[:4])[0]
        kind, complex_ = bits & 0xFF, bits & 0x800
        if kind == _OPAQUE:
            return "", None
        shape = self.element(data, flags.end)
        name = self.element(data, shape.end)
        sides = [int(side) for side in self._numbers(shape)]
        if shape.kind not in (5, 6) or len(sides) < 2 or min(sides) < 0:
            raise ValueError("a matrix is damaged")
        return self._text(name), self._value(kind, sides, data[name.end :], bool(complex_), depth)

    def _value(self, kind: int, sides: list[int], data: memoryview, complex_: bool, depth: int) -> Any:
        count = math.prod(sides)
        if kind == _CELL:
            return self._values(data, count, depth)
        if kind in (_STRUCT, _OBJECT):
            return self._structs(data, count, depth, skip=kind == _OBJECT)
        if kind == _CHAR:
            return self._text(self.element(data, 0)) if count else ""
        if kind not in _NUMERIC or complex_:  # sparse, a function
            return None
        numbers = self._numbers(self.element(data, 0)) if count else np.empty(0)
        if numbers.size != count:
            raise ValueError(f"an array has shape {sides} but {numbers.size} values")
        return numbers.reshape(sides, order="F")

    def _values(self, data: memoryview, count: int, depth: int) -> list[Any]:
        if 8 * count > len(data):
            raise ValueError(f"it claims {count:,} elements in {len(data):,} bytes")
        found, at = [], 0
        for _ in range(count):
            element = self.element(data, at)
            if element.kind != _MATRIX:
                raise ValueError("a matrix is damaged")
            found.append(self.matrix(element.data, depth + 1)[1])
            at = element.end
        return found

    def _structs(self, data: memoryview, count: int, depth: int, *, skip: bool) -> Any:
        """A struct as a dict, an array of other than one as a list."""
        at = self.element(data, 0).end if skip else 0  # past the class's name
        width = self.element(data, at)
        names = self.element(data, width.end)
        length = int(self._numbers(width)[0]) if len(width.data) >= 4 and width.kind in _NUMBERS else 0
        if length < 1:
            raise ValueError("a struct is damaged")
        text = bytes(names.data).decode("latin-1")
        fields = [text[start : start + length].partition("\0")[0] for start in range(0, len(text), length)]
        values = self._values(data[names.end :], count * len(fields), depth)
        if not fields:
            return {}
        found = [
            dict(zip(fields, values[start : start + len(fields)], strict=True))
            for start in range(0, len(values), len(fields))
        ]
        return found[0] if count == 1 else found

    def _numbers(self, element: _Element) -> np.ndarray:
        if element.kind not in _NUMBERS:
            raise ValueError(f"its numbers are of an unknown kind, {element.kind}")
        dtype = np.dtype(self.order + _NUMBERS[element.kind])
        if len(element.data) % dtype.itemsize:
            raise ValueError("a number is cut off")
        return np.frombuffer(element.data, dtype)

    def _text(self, element: _Element) -> str:
        coding = _TEXT.get(element.kind, "latin-1")
        ending = {"<": "-le", ">": "-be"}[self.order] if coding in ("utf-16", "utf-32") else ""
        return bytes(element.data).decode(coding + ending, errors="replace")
