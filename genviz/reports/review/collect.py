"""The finished runs in an output folder, and what is left out, with the reason."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.reports.review.run import NoRunError, Run, one_line, read_run

_DEEPEST = 5
"""How deep below the root a run may be; runs are three deep, and a link could make a loop."""
_INSIDE = ("snapshots", "wandb", "tensorboard")  # a run's own folders, not searched
_ASIDE = re.compile(r"~\d+$")  # genviz.files.set_aside


class LeftOut(NamedTuple):
    """A folder in which a run was started, and which is not shown."""

    folder: str
    """Relative to the root."""
    why: str
    """``unfinished``, ``with a damaged picture``, …"""


class Collection(NamedTuple):
    """What an output folder holds, sorted by name."""

    runs: list[Run]
    left_out: list[LeftOut]


def collect(root: Path) -> Collection:
    """Read every run in ``root``: an output folder, or the folder of a classifier, a setting or a target inside it.

    Everything else is left out; runs that were set aside are not even mentioned.

    Raises:
        UserError: there is no such folder, or it holds no finished run.
    """
    if not root.is_dir():
        raise UserError(f"{root}: there is no such folder; give the one that genviz train writes to, outputs/")
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    folders = sorted(_folders(root, 0), key=lambda folder: natural(str(folder)))
    for folder in tqdm(folders, "reading", unit="run", delay=2, leave=False, dynamic_ncols=True):
        try:
            runs.append(read_run(folder, _setting(root, folder)))
        except NoRunError as error:
            left_out.append(LeftOut(one_line(str(folder.relative_to(root))), str(error)))
    if not runs:
        begun = f"; {told(left_out)}" if left_out else ""
        raise UserError(f"{root}: no finished run in it{begun}; genviz train target=class:harmonica makes one")
    return Collection(runs, left_out)


def told(left_out: list[LeftOut], most: int = 3) -> str:
    """One line on what is left out: for each reason, how many folders and the names of the first ``most``."""
    reasons: dict[str, list[str]] = {}
    for folder, why in left_out:
        reasons.setdefault(why, []).append(folder)
    return "; ".join(
        f"{len(folders):,} {why} ({', '.join(folders[:most])}{', …' if len(folders) > most else ''})"
        for why, folders in reasons.items()
    )


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key for natural order: ``relu2`` before ``relu10``."""
    parts = re.split(r"(\d{1,9})", name, flags=re.ASCII)
    return [(0, int(part), "") if part.isascii() and part.isdecimal() else (1, 0, part) for part in parts]


def _folders(folder: Path, depth: int) -> list[Path]:
    """The folders in which a run was started; a folder with runs below it is not a run itself."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return []
    inner = [entry.name for entry in found if not _passed_over(entry.name) and Path(entry).is_dir()]
    below = [run for name in inner for run in _folders(folder / name, depth + 1)] if depth < _DEEPEST else []
    begun = any(entry.name in ("config.yaml", "result.json") for entry in found)
    return below or ([folder] if begun else [])


def _passed_over(name: str) -> bool:
    return name.startswith(".") or name in _INSIDE or _ASIDE.search(name) is not None


def _setting(root: Path, run: Path) -> str:
    """The folders above a run: at least two, even if the root is one of them."""
    above = run.relative_to(root).parts[:-1]
    whole = Path(os.path.abspath(run)).parts[:-1]  # noqa: PTH100 - keeps the name of a link
    return one_line("/".join(above if len(above) > 1 else whole[-2:]))
