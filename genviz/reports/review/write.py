"""A review of an output folder: a page, contact sheets and a table."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm.auto import tqdm

from genviz.files import atomic_write
from genviz.images.folders import expanded
from genviz.images.pictures import UNREADABLE
from genviz.images.sheet import Cell, write_contact_sheets
from genviz.reports.review.collect import Collection, LeftOut, collect
from genviz.reports.review.page import write_page
from genviz.reports.review.real import FOLDER as REAL
from genviz.reports.review.real import copy_of, copy_real, find_real
from genviz.reports.review.run import ClassScore, Run, one_line
from genviz.reports.review.targets import Reviewed, by_target, labels_of

_SMALL = 320  # a picture with a longer side gets a thumbnail of that
_COLOURS = {"recognised": "#1a7f37", "improved": "#1a7f37", "top five": "#7d6608", "done": "#555"}
_BAD = "#b3261e"


class Review(NamedTuple):
    """The files that were written, and what they show."""

    page: Path
    table: Path
    sheets: list[Path]
    collection: Collection
    targets: list[Reviewed]
    real: int
    """How many targets have a real picture beside them."""


def write_review(root: Path, pictures: Path | None = None) -> Path:
    """Write the page, the sheets and the table of ``root``, except sheets that are up to date; return the page.

    Args:
        root: the output folder, or the folder of one classifier, setting or target in it.
        pictures: a folder of real pictures whose names say which class each shows; None: those of the last review.

    Raises:
        UserError: there is no such folder, it holds no finished run, or it cannot be written to.
    """
    return review(root, pictures).page


def review(folder: str | Path, pictures: str | Path | None = None) -> Review:
    """As `write_review`, but return everything that was written.

    >>> import genviz, tempfile
    >>> try:
    ...     genviz.review(tempfile.mkdtemp())
    ... except genviz.UserError as error:
    ...     "no finished run in it" in str(error)
    True
    """
    root = expanded(folder)
    collection = collect(root)
    targets = by_target(collection.runs)
    if pictures is not None:
        damaged = _take_real(root, Path(pictures), targets)
        collection.left_out.extend(LeftOut(one_line(name), "unreadable among the real pictures") for name in damaged)
    small = {
        run.folder: _small(run)
        for run in tqdm(collection.runs, "thumbnails", unit="run", delay=2, leave=False, dynamic_ncols=True)
    }
    sheets = _write_sheets(root, targets)
    page = write_page(root, collection, targets, small, sheets)
    table = _write_table(root, targets)
    real = sum(copy_of(root, target.folder).is_file() for target in targets)
    return Review(page, table, [path for paths in sheets.values() for path in paths], collection, targets, real)


def _take_real(root: Path, pictures: Path, targets: Sequence[Reviewed]) -> list[str]:
    """Copy a real picture for each target that is a class; return the names of those that cannot be decoded."""
    wanted = {target.folder: target.wanted for target in targets if target.wanted is not None}
    named = {labels_of(run) for target in targets if target.wanted is not None for run in target.runs.values()}
    labels = [label for of_one in named for label in of_one]
    apart = [*(run.folder for target in targets for run in target.runs.values()), root / REAL]
    return copy_real(root, find_real(expanded(pictures), wanted, labels, apart))


def _small(run: Run) -> str:
    """The file that shows a run in the overview: its first picture, or a thumbnail if that is large."""
    if max(run.size) <= _SMALL:
        return run.first.name
    thumbnail = run.folder / "thumbnail.jpg"
    try:
        made = run.first.stat().st_mtime_ns
        if thumbnail.exists() and thumbnail.stat().st_mtime_ns == made:
            return thumbnail.name
        with Image.open(run.first) as picture:
            shown = picture.convert("RGB")
        shown.thumbnail((_SMALL, _SMALL), Image.Resampling.LANCZOS)
        with atomic_write(thumbnail, durable=False) as file:
            shown.save(file, format="JPEG", quality=88)
        os.utime(thumbnail, ns=(made, made))  # marks it as the thumbnail of this picture
    except UNREADABLE:  # it was whole a moment ago, but the run may have started again
        return run.first.name
    return thumbnail.name


def _write_sheets(root: Path, targets: Sequence[Reviewed]) -> dict[str, list[Path]]:
    """Write the contact sheets of each setting in ``root`` to the setting's folder; return them by setting."""
    cells: dict[tuple[str, Path], list[Cell]] = {}
    notes: dict[str, str] = {}
    for target in targets:
        for setting, run in target.runs.items():
            if run.folder != root:
                notes[setting] = f", {run.facts['note']}" if run.facts["note"] else ""
                cells.setdefault((setting, run.folder.parent), []).append(_cell(target.title, run))
    return {
        setting: write_contact_sheets(folder, f"{setting}{notes[setting]}", its)
        for (setting, folder), its in cells.items()
    }


def _cell(title: str, run: Run) -> Cell:
    first = run.judged[0]
    return Cell(title.partition(":")[2] or title, first.remark, _COLOURS.get(first.verdict, _BAD), run.first)


def _write_table(root: Path, targets: Sequence[Reviewed]) -> Path:
    """Write ``root/index.csv``, with a row for each run; return it."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    heads = ("target", "setting", "verdict", "rank", "activation", "top class", "probability")
    facts = ("updates", "seed", "weights_sha256")
    rows.writerow((*heads, *facts, "seconds_per_update", "picture", "explanation"))
    for target in targets:
        for setting, run in target.runs.items():
            first = run.judged[0]
            best = first.top_classes[0] if first.top_classes else ClassScore("", None, None)
            said = (target.name, setting, first.verdict, first.rank, first.activation, best.label, best.probability)
            place = run.first.relative_to(root).as_posix()
            known = (run.facts[name] for name in facts)
            rows.writerow((*said, *known, run.seconds_per_update, place, first.explanation))
    path = root / "index.csv"
    with atomic_write(path) as file:
        file.write(text.getvalue().encode("utf-8", "replace"))
    return path
