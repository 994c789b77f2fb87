"""metrics.csv: a row for each update."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from genviz.errors import CannotWriteError
from genviz.files import check_file, put_aside, write_text


class MetricsFile:
    """A CSV with one row per update, flushed as it grows; after a resume, it continues from the checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    @property
    def updates(self) -> int:
        """The update of the last row that can be read; 0 if there is none."""
        rows = self._rows()
        return int(rows[-1].partition(",")[0]) if len(rows) > 1 else 0

    def last(self, column: str) -> int:
        """The last update at which the numbers of ``column`` are not 0; 0 if there is none."""
        names, *rows = [row.split(",") for row in self._rows()] or [[]]
        place = names.index(column) if column in names else None
        return max((int(row[0]) for row in rows if place is not None and float(row[place])), default=0)

    def keep(self, updates: int) -> None:
        """Drop the rows after ``updates``, where the resumed checkpoint was written; a damaged file is set aside."""
        if not self.path.exists():
            return
        rows = self._rows()
        if self.updates < updates:
            put_aside(self.path, f"lacks rows before update {updates}")
        kept = [rows[0], *(row for row in rows[1:] if int(row.partition(",")[0]) <= updates)] if rows else []
        if len(kept) > 1:
            write_text(self.path, "".join(f"{row}\r\n" for row in kept))  # as the csv module ends them
        else:
            self.path.unlink(missing_ok=True)

    def _rows(self) -> list[str]:
        """The header and the rows up to the first one that is damaged or cut off; none without a header."""
        try:
            lines = check_file(self.path).read_bytes().decode("utf-8", errors="replace").splitlines(keepends=True)
        except OSError:
            return []
        if not lines or not lines[0].startswith("update,"):
            return []
        rows, columns, last = [lines[0].rstrip()], lines[0].count(","), 0
        for line in lines[1:]:
            update, *numbers = line.rstrip().split(",")
            whole = line.endswith("\n") and len(numbers) == columns and all(map(_is_number, numbers))
            if not whole or not update.isdecimal() or int(update) <= last:
                break
            rows.append(line.rstrip())
            last = int(update)
        return rows

    def add(self, row: Mapping[str, float]) -> None:
        """Append a row, with the header before the first.

        Raises:
            CannotWriteError: the disk is full.
        """
        try:
            if self._file is None:
                new = not self.path.exists() or self.path.stat().st_size == 0
                self._file = self.path.open("a", newline="", encoding="utf-8", buffering=1)
                if new:
                    csv.writer(self._file).writerow(row)
            csv.writer(self._file).writerow(row.values())
        except OSError as error:
            raise CannotWriteError(
                f"cannot write {self.path}: {error.strerror}; free some space or choose another folder"
            ) from error

    def close(self) -> None:
        """Flush and close the file; safe to call twice."""
        if self._file is not None:
            self._file.close()
        self._file = None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
