"""A finished run, read from its folder; values that make no sense become None, and damage is named."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from genviz.files import check_file, read_json
from genviz.images.pictures import UNREADABLE

_SNAPSHOT = re.compile(r"(\d{5}|[1-9]\d{5,8})\.png", re.ASCII)
_POINTS = 50  # of a curve
_LONGEST = 2000  # characters of a name; file systems allow far fewer
_FACTS = (
    *("weights", "weights_sha256", "generator_sha256", "trainable_parameters", "updates", "seed"),
    *("display", "device", "note", "versions"),
)
"""The fields of result.json that many targets share."""

Plain = str | float | None


class NoRunError(Exception):
    """A folder holds no finished run; the message says why."""


class Unit(NamedTuple):
    """One unit of the target, measured on the picture."""

    name: str
    weight: float | None
    activation: float | None
    rank: int | None
    of: int | None


class ClassScore(NamedTuple):
    """One of the top classes."""

    label: str
    number: int | None
    probability: float | None


class Judged(NamedTuple):
    """A picture that a run has made, and its verdict; None where result.json does not say."""

    file: str
    verdict: str
    explanation: str
    activation: float | None
    rank: int | None
    units: list[Unit]
    top_classes: list[ClassScore]
    measures: dict[str, float | None]

    @property
    def remark(self) -> str:
        """The verdict in a few words, with the rank if it should have been 1 and is not."""
        about_rank = self.verdict not in ("improved", "not improved", "done")
        return f"{self.verdict}, rank {self.rank}" if about_rank and self.rank not in (None, 1) else self.verdict


class Run(NamedTuple):
    """A finished run."""

    folder: Path
    setting: str
    """``<classifier>/<generator>``, below any further folders between it and the root."""
    target: str
    picture: str
    """The file with everything that was made; several pictures are side by side in it."""
    size: tuple[int, int]
    """Width and height of the first picture."""
    judged: list[Judged]
    """One for each picture, at least one."""
    facts: dict[str, Plain]
    seconds_per_update: float | None
    config: str
    """The configuration as YAML, without the target."""
    snapshots: list[int]
    """The updates after which one was taken."""
    has_video: bool
    curve: list[tuple[int, float]]
    """Update and activation, thinned out."""

    @property
    def first(self) -> Path:
        """The first picture."""
        return self.folder / self.judged[0].file


def read_run(folder: Path, setting: str) -> Run:
    """Read a run's folder.

    Raises:
        NoRunError: it is unfinished, damaged or not a run; the message says which.
    """
    try:
        files = {path.name for path in folder.iterdir()}
        result = _result(folder / "result.json") if "result.json" in files else None
    except OSError as error:
        raise NoRunError("unreadable") from error
    if result is None:
        raise NoRunError("unfinished")
    judged = _pictures(result, files)
    try:
        with Image.open(check_file(folder / judged[0].file)) as picture:
            size = picture.size
            picture.verify()
    except UNREADABLE as error:
        raise NoRunError("with a damaged picture") from error
    return Run(
        folder,
        setting,
        one_line(result["target"]),
        "final.png" if "final.png" in files else judged[0].file,
        size,
        judged,
        {name: _plain(result.get(name)) for name in _FACTS},
        _number(result.get("seconds_per_update")),
        re.sub(r"(?m)^target:.*\n?", "", _text(folder / "config.yaml")),
        _snapshots(folder / "snapshots"),
        "evolution.mp4" in files,
        _curve(folder / "metrics.csv"),
    )


def one_line(text: str) -> str:
    """``text`` on one line, without unprintable characters."""
    return "".join(character for character in " ".join(text[:_LONGEST].split()) if character.isprintable())


def _result(path: Path) -> dict[str, Any]:
    try:
        result = read_json(path)
    except ValueError as error:
        raise NoRunError("with a damaged result.json") from error
    if not isinstance(result, dict) or not all(
        isinstance(result.get(name), str) and one_line(result[name]) for name in ("target", "verdict")
    ):
        raise NoRunError("of no target")
    return result


def _pictures(result: dict[str, Any], files: set[str]) -> list[Judged]:
    several = [_judged(image) for image in _dicts(result.get("images"))]
    judged = [picture for picture in several if picture.file in files] or [_judged({**result, "file": "final.png"})]
    if judged[0].file not in files:
        raise NoRunError(f"without a {judged[0].file}")
    return judged


def _judged(said: dict[str, Any]) -> Judged:
    measures = said.get("measures")
    return Judged(
        said["file"] if isinstance(said.get("file"), str) else "",
        _string(said.get("verdict")),
        _string(said.get("explanation")),
        _number(said.get("activation")),
        _whole(said.get("rank")),
        [
            Unit(
                _string(unit.get("unit")),
                _number(unit.get("weight")),
                _number(unit.get("activation")),
                _whole(unit.get("rank")),
                _whole(unit.get("of")),
            )
            for unit in _dicts(said.get("units"))
        ],
        [
            ClassScore(_string(score.get("label")), _whole(score.get("number")), _number(score.get("probability")))
            for score in _dicts(said.get("top_classes"))
        ],
        {one_line(name): _number(value) for name, value in measures.items()} if isinstance(measures, dict) else {},
    )


def _snapshots(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return sorted(int(path.stem) for path in folder.iterdir() if _SNAPSHOT.fullmatch(path.name))


def _curve(path: Path) -> list[tuple[int, float]]:
    """Evenly spaced rows of metrics.csv up to the last; rows that hold no finite numbers are left out."""
    heads, *rows = [line.split(",") for line in _text(path).splitlines()] or [[]]
    if "update" not in heads or "activation" not in heads:
        return []
    update, activation = heads.index("update"), heads.index("activation")
    every = max(1, -(-len(rows) // _POINTS))
    curve = []
    for row in rows[::-1][::every][::-1]:
        try:
            point = int(row[update]), float(row[activation])
        except (ValueError, IndexError):
            continue
        if math.isfinite(point[1]):
            curve.append(point)
    return curve


def _text(path: Path) -> str:
    try:
        return check_file(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _dicts(value: object) -> list[dict[str, Any]]:
    """The objects in a JSON list; none if ``value`` is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _string(value: object) -> str:
    return one_line(value) if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    """``value`` if it is a finite number; otherwise None, for instance for the NaN that a diverged run writes."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
        return None
    return value if math.isfinite(value) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 53 else None


def _plain(value: object) -> Plain:
    if isinstance(value, dict):
        return ", ".join(f"{one_line(str(name))} {one_line(str(what))}" for name, what in value.items())
    return _string(value) or _number(value)
