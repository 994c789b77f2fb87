"""Pictures in folders."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from genviz.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


class Found(NamedTuple):
    """What lies in a folder, however nested, by name."""

    pictures: list[Path]
    others: list[Path]
    """Files that are no pictures, by their names."""


def find_pictures(root: str | Path, setting: str = "data.root") -> Found:
    """The pictures under ``root``, however nested, by name; hidden files are not looked at.

    Args:
        setting: what the command line calls the folder.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise UserError(f"{setting}={root}: there is no such folder; give one with pictures in it")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise UserError(f"{setting}={root}: no picture in it or below; {', '.join(SUFFIXES)} files are pictures")
    return Found(pictures, [path for path in files if path.suffix.lower() not in SUFFIXES])
