"""The targets of many runs, in order, each with its runs in all settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from genviz.errors import UserError
from genviz.reports.review.collect import natural
from genviz.reports.review.real import Wanted
from genviz.reports.review.run import Run
from genviz.targets.labels import slug

_KINDS = ("class", "filter", "neuron", "layer")
_LABELS_FILE = re.compile(r"(?m)^classifier:\n(?:  .*\n)*?  labels: (.*)$")
_ONE_CLASS = re.compile(r"class:[^:+@]+")


class Reviewed(NamedTuple):
    """A target and its runs in several settings."""

    name: str
    number: int | None
    """Of the class that the target begins with; None if it is not known."""
    label: str
    """Of that class, as the classifier spells it."""
    runs: dict[str, Run]
    """By setting."""

    @property
    def folder(self) -> str:
        """The folder name of its runs."""
        return next(iter(self.runs.values())).folder.name

    @property
    def title(self) -> str:
        """The name, followed by the label if the name has only the number: ``class:264 Cardigan``."""
        return f"{self.name} {self.label}" if self.name == f"class:{self.number}" and self.label else self.name

    @property
    def wanted(self) -> Wanted | None:
        """The class that a real picture of it would show; None unless it is a single class."""
        return Wanted(self.label, self.number) if self.label and _ONE_CLASS.fullmatch(self.name) else None


def by_target(runs: Sequence[Run]) -> list[Reviewed]:
    """The runs of each target: classes in the classifier's order, then filters, neurons and layers.

    A second folder of the same target in one setting counts as a target of its own, named after the folder.
    """
    found: dict[str, Reviewed] = {}
    for run in runs:
        name = run.target
        if name in found and run.setting in found[name].runs:
            name = f"{run.target} ({run.folder.name})"
        if name not in found:
            found[name] = Reviewed(name, *_class_of(run), {})
        found[name].runs[run.setting] = run
    return sorted(found.values(), key=_order)


def labels_of(run: Run) -> tuple[str, ...]:
    """The labels of the run's classifier, by number; empty if they are no longer known."""
    units = run.judged[0].units
    classes = units[0].of if units and units[0].name.startswith("class:") else None
    file = _LABELS_FILE.search(run.config)
    labels = _labels("null" if file is None else file[1].strip("'\""))
    return labels if classes in (None, len(labels)) else ()


@lru_cache(maxsize=8)
def _labels(file: str) -> tuple[str, ...]:
    from genviz.classifiers.labels import (
        labels_of,
    )  # imports torchvision, which takes seconds, and only classes need it

    try:
        return labels_of("vgg16", None if file == "null" else file)
    except UserError:
        return ()


@lru_cache(maxsize=8)
def _numbers(labels: tuple[str, ...]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for number, label in enumerate(labels):
        numbers.setdefault(slug(label), []).append(number)
    return numbers


def _class_of(run: Run) -> tuple[int | None, str]:
    """The number and label of the class that a run's target begins with."""
    units = run.judged[0].units
    kind, _, piece = (units[0].name if units else run.target).partition(":")
    if kind != "class":
        return None, ""
    labels = labels_of(run)
    if piece.isascii() and piece.isdecimal() and len(piece) < 7:
        return int(piece), labels[int(piece)] if int(piece) < len(labels) else ""
    found = _numbers(labels).get(slug(piece), [])
    return (found[0], labels[found[0]]) if len(found) == 1 else (None, piece)


def _order(target: Reviewed) -> tuple[int, float, list[tuple[int, int, str]]]:
    kind = target.name.partition(":")[0]
    place = _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
    return place, float("inf") if target.number is None else target.number, natural(target.name)
