"""The errors of many inversions, in a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import NamedTuple

from genviz.files import put_aside, short_name, write_text
from genviz.training.leftovers import make_way

_FIELDS = ("layer", "C", "picture", "sha256", "error", "seconds")


class Cell(NamedTuple):
    """One inversion."""

    layer: str
    strength: float
    picture: str
    """Its path below the folder."""
    sha256: str
    """The first digits of its file's hash."""

    @property
    def file(self) -> str:
        """The file name of its picture."""
        layer, picture = (short_name(re.sub(r"[^\w.+-]", "-", n), 100) for n in (self.layer, Path(self.picture).stem))
        return f"{layer}-C{self.strength:g}-{picture}-{self.sha256[:6]}.png"


class ErrorsTable:
    """The errors so far, in a CSV with one row per inversion, written as they arrive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: dict[Cell, float] = {}
        self._seconds: dict[Cell, str] = {}
        make_way([path])
        if path.exists():
            try:
                self._read()
            except (ValueError, csv.Error):
                put_aside(path, "is damaged")
                self._write()  # what could be read

    def add(self, cells: Sequence[Cell], errors: Sequence[float], seconds: float) -> None:
        """Add inversions, which took ``seconds`` each, and rewrite the table."""
        for cell, error in zip(cells, errors, strict=True):
            self.errors[cell], self._seconds[cell] = error, f"{seconds:.2f}"
        self._write()

    def _read(self) -> None:
        with self.path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if all(row.get(name) for name in _FIELDS):  # skips half a row
                    cell = Cell(row["layer"], float(row["C"]), row["picture"], row["sha256"])
                    self.errors[cell], self._seconds[cell] = float(row["error"]), row["seconds"]

    def _write(self) -> None:
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(_FIELDS)
        for cell, error in self.errors.items():
            writer.writerow((*cell, f"{error:.6f}", self._seconds[cell]))
        write_text(self.path, rows.getvalue())

    def summary(self, cells: Sequence[Cell]) -> str:
        """Mean and standard deviation over several inversions, in percent; for one, its error."""
        errors = [100 * self.errors[cell] for cell in cells]
        return f"{mean(errors):.1f}" + (f" ± {stdev(errors):.1f}" if len(errors) > 1 else "")
