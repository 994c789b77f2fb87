"""The map of many pictures as one page, which needs nothing else; beside it, the pictures themselves are shown, too."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np

from genviz.files import write_text
from genviz.images.thumbnails import atlases
from genviz.reports.rendering import render

_DIGITS = 5  # of a place


class Mapped(NamedTuple):
    """Pictures on a map."""

    paths: Sequence[Path]
    names: Sequence[str]
    """As they are shown."""
    places: np.ndarray
    """(n, 2), from 0 to 1."""
    cells: np.ndarray
    """Columns and rows of the grid, (n, 2)."""
    folders: Sequence[str]
    """Each picture's."""
    called: Sequence[str]
    """The class that the network predicts for each."""
    generated: dict[int, str]
    """Those that were generated, and for what."""


def write_map_page(path: Path, mapped: Mapped, thumbnails: np.ndarray, about: dict[str, Any]) -> None:
    """Write the page ``path``; whatever it says is escaped.

    Args:
        thumbnails: bytes (n, side, side, 3).
        about: ``source``, ``layer``, ``classifier``, ``note`` and ``told``, which are shown.

    Raises:
        UserError: the disk is full, or the folder is not writable.
    """
    pictures, across = atlases(thumbnails)
    folders, folder = _numbered(mapped.folders)
    labels, called = _numbered(mapped.called)
    base = Path(os.path.abspath(path.parent))  # noqa: PTH100 - links are kept
    data = {
        **about,
        "pictures": f"{len(mapped.names):,}",
        "thumbnails": {"side": thumbnails.shape[1], "across": across},
        "atlases": pictures,
        "x": [round(x, _DIGITS) for x in mapped.places[:, 0].tolist()],
        "y": [round(y, _DIGITS) for y in mapped.places[:, 1].tolist()],
        "column": mapped.cells[:, 0].tolist(),
        "row": mapped.cells[:, 1].tolist(),
        "columns": int(mapped.cells.max()) + 1,
        "names": list(mapped.names),
        "links": [_url(each, base) for each in mapped.paths],
        "folders": folders,
        "folder": folder,
        "labels": labels,
        "called": called,
        "generated": list(mapped.generated.items()),
    }
    write_text(path, render("map.html", map=data))


def _numbered(names: Sequence[str]) -> tuple[list[str], list[int]]:
    """The different names, sorted, and the number of each one."""
    known = sorted(set(names))
    numbers = {name: number for number, name in enumerate(known)}
    return known, [numbers[name] for name in names]


def _url(path: Path, base: Path) -> str:
    """A link to ``path`` from a page in the folder ``base``."""
    relative = os.path.relpath(os.path.abspath(path), base)  # noqa: PTH100
    return "/".join(quote(os.fsencode(part), safe="") for part in Path(relative).parts)
