"""What a run finds in its folder and cannot go on with: it is set aside, never deleted, and said."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from genviz.files import prepare_folder, put_aside


def make_folders(folders: Iterable[Path]) -> None:
    """Create folders, or check that they are writable.

    Raises:
        UserError: one is not.
    """
    for folder in folders:
        if os.path.lexists(folder) and not folder.is_dir():
            put_aside(folder, "is not a folder")
        prepare_folder(folder)


def make_way(files: Iterable[Path]) -> None:
    """Set aside what is there in place of files, and files that cannot be read."""
    for path in files:
        if (why := _why_unusable(path)) is not None:
            put_aside(path, why)


def _why_unusable(path: Path) -> str | None:
    if not path.exists():
        return "is a broken link" if path.is_symlink() else None
    if not path.is_file():
        return "is not a file"
    try:
        with path.open("rb"):
            return None
    except OSError as error:
        return f"cannot be read ({error.strerror})"
