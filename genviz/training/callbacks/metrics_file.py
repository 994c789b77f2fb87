"""metrics.csv: a row for each update."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from genviz.errors import CannotWriteError
from genviz.files import write_text


class MetricsFile:
    """A CSV with one row per update, flushed as it grows; after a resume, it continues from the checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def keep(self, updates: int) -> None:
        """Drop the rows after ``updates``, where the resumed checkpoint was written."""
        if updates == 0:
            self.path.unlink(missing_ok=True)
        if not self.path.exists():
            return
        kept = io.StringIO()
        writer = csv.writer(kept)
        for row in csv.reader(io.StringIO(self.path.read_text(encoding="utf-8"))):
            if row and (not row[0].isdigit() or int(row[0]) <= updates):
                writer.writerow(row)
        write_text(self.path, kept.getvalue())

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
