"""The page: everything that is said of the runs, and how it is looked at, in one file."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import genviz
from genviz.files import write_text
from genviz.reports.review.collect import Collection, told
from genviz.reports.review.real import copy_of
from genviz.reports.review.run import Judged, Run, one_line
from genviz.reports.review.targets import Reviewed


def write_page(
    root: Path,
    collection: Collection,
    targets: Sequence[Reviewed],
    small: Mapping[Path, str],
    sheets: Mapping[str, Sequence[Path]],
) -> Path:
    """Write ``root/index.html``, which names pictures and videos by their places in ``root`` and needs nothing else.

    Args:
        small: the file that shows a run among others, by its folder.
        sheets: by setting.

    Raises:
        UserError: the disk is full, or the folder cannot be written to.
    """
    settings = list(dict.fromkeys(run.setting for run in collection.runs))
    notes = {run.setting: run.facts["note"] for run in collection.runs if run.facts["note"]}
    facts, configs = _Told(), _Told()
    data = {
        "root": one_line(Path(os.path.abspath(root)).name),  # noqa: PTH100 - as it is called, were it a link
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
    }
    path = root / "index.html"
    write_text(path, _filled(data))
    return path


class _Told:
    """Things that many runs share, each told once."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, thing: Any) -> int:
        """Where the thing is told."""
        key = json.dumps(thing)
        if key not in self._places:
            self._places[key] = len(self.things)
            self.things.append(thing)
        return self._places[key]


def _run(root: Path, run: Run, small: str, facts: _Told, configs: _Told) -> dict[str, Any]:
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
    """Where ``path`` is, as a link on the page; bytes that are no text stay what they are."""
    return "/".join(quote(os.fsencode(part), safe="") for part in path.relative_to(root).parts) or "."


def _filled(data: dict[str, Any]) -> str:
    """The template with its style, its script and the data, in which nothing can end the script."""
    here = Path(__file__).parent
    page = (here / "page.html").read_text(encoding="utf-8")
    told = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {"title": html.escape(data["root"]), "data": told}
    files = {"css": ("page.css",), "js": ("page.js", "detail.js")}
    for name, of in files.items():
        parts[name] = "\n".join((here / file).read_text(encoding="utf-8") for file in of)
    head, *rest = page.split("{{")
    return head + "".join(parts[name] + text for name, _, text in (piece.partition("}}") for piece in rest))
