"""The page: everything known about the runs, and the scripts to explore it, in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import genviz
from genviz.files import write_text
from genviz.reports.rendering import render
from genviz.reports.review.collect import Collection, told
from genviz.reports.review.real import copy_of
from genviz.reports.review.run import Judged, Run, one_line
from genviz.reports.review.targets import Reviewed

_EXPLAINED = "explain/*/*/*/report.html"
"""Pages of `genviz explain` below an output folder."""


def write_page(
    root: Path,
    collection: Collection,
    targets: Sequence[Reviewed],
    small: Mapping[Path, str],
    sheets: Mapping[str, Sequence[Path]],
) -> Path:
    """Write ``root/index.html``, which needs only the pictures and videos in ``root``, to which its links are relative.

    Args:
        small: by a run's folder, the file that shows the run in the overview.
        sheets: the contact sheets of each setting.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    settings = list(dict.fromkeys(run.setting for run in collection.runs))
    notes = {run.setting: run.facts["note"] for run in collection.runs if run.facts["note"]}
    facts, configs = _Shared(), _Shared()
    data = {
        "root": one_line(Path(os.path.abspath(root)).name),  # noqa: PTH100 - the name of a link itself
        "version": genviz.__version__,
        "settings": [
            {"name": name, "note": notes.get(name), "sheets": [_url(root, path) for path in sheets.get(name, [])]}
            for name in settings
        ],
        "targets": [
            {
                "name": target.name,
                "number": target.number,
                "label": target.title.removeprefix(target.name).strip(),
                "real": _url(root, copy) if (copy := copy_of(root, target.folder)).is_file() else None,
                "runs": [
                    None
                    if (run := target.runs.get(name)) is None
                    else _run(root, run, small[run.folder], facts, configs)
                    for name in settings
                ],
            }
            for target in targets
        ],
        "facts": facts.things,
        "configs": configs.things,
        "left_out": told(collection.left_out),
        "explained": [(_explained(page), _url(root, page)) for page in sorted(root.glob(_EXPLAINED))],
    }
    path = root / "index.html"
    write_text(path, render("review.html", review=data))
    return path


def _explained(page: Path) -> str:
    """What is explained there: the picture, the target and the network."""
    network, target, picture = (one_line(part) for part in page.parent.parts[-3:])
    return f"{picture} ({target}, {network})"


class _Shared:
    """Things that many runs share, each kept once."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, thing: Any) -> int:
        """The index of ``thing``."""
        key = json.dumps(thing)
        if key not in self._places:
            self._places[key] = len(self.things)
            self.things.append(thing)
        return self._places[key]


def _run(root: Path, run: Run, small: str, facts: _Shared, configs: _Shared) -> dict[str, Any]:
    return {
        "folder": _url(root, run.folder),
        "small": quote(small),
        "picture": quote(run.picture),
        "judged": [_judged(picture) for picture in run.judged],
        "facts": facts.place(run.facts),
        "config": configs.place(run.config),
        "seconds": _short(run.seconds_per_update),
        "size": run.size,
        "snapshots": run.snapshots,
        "video": run.has_video,
        "curve": [(update, _short(activation, 3)) for update, activation in run.curve],
    }


def _judged(picture: Judged) -> dict[str, Any]:
    return picture._asdict() | {
        "remark": picture.remark,
        "activation": _short(picture.activation, 6),
        "units": [(u.name, _short(u.weight), _short(u.activation), u.rank, u.of) for u in picture.units],
        "top_classes": [(label, number, _short(p)) for label, number, p in picture.top_classes],
        "measures": {name: _short(value, 6) for name, value in picture.measures.items()},
    }


def _short(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _url(root: Path, path: Path) -> str:
    """A link to ``path``, relative to the page; bytes that are not valid text are kept."""
    return "/".join(quote(os.fsencode(part), safe="") for part in path.relative_to(root).parts) or "."
