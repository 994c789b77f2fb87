"""The labels of a network's classes, from a list, a dict or a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torchvision
import yaml

from genviz.errors import UserError

Labels: TypeAlias = str | Path | Iterable[str] | Mapping[Any, Any]
"""What `read_labels` takes."""

_SUCH = "labels must be a list of words, one for each class, a dict such as {0: 'cat', 1: 'dog'}, or a file of them"
_STRUCTURED = (".json", ".yaml", ".yml")


def labels_of(architecture: str, given: Labels | None) -> tuple[str, ...]:
    """The labels ``given``, as in `read_labels`; None: those of torchvision's weights for ``architecture``.

    Raises:
        UserError: there is no such file, or it holds no labels.
    """
    if given is not None:
        return read_labels(given)
    entries = torchvision.models.get_model_weights(architecture)
    donor = entries.DEFAULT if len(entries) else torchvision.models.VGG16_Weights.DEFAULT
    return tuple(donor.meta["categories"])


def read_labels(given: Labels, classes: int | None = None) -> tuple[str, ...]:
    """The labels of a network's classes, in the order of the scores.

    Args:
        given: the labels; a dict from a class's number to its label, or from label to number; or a file of them: one
            label per line, or such a list or dict as JSON, YAML or Python writes it.
        classes: how many classes there are, for a dict that names only some: the others go by their numbers.

    Raises:
        UserError: there is no such file, or these are no labels.
    """
    if isinstance(given, Mapping):
        return _of_mapping(given, classes)
    if isinstance(given, str | Path):
        found = _of_file(Path(given).expanduser())
        return _of_mapping(found, classes) if isinstance(found, Mapping) else _of_list(found)
    return _of_list(given)


def _of_list(given: Any) -> tuple[str, ...]:
    ordered = isinstance(given, Iterable) and not isinstance(given, bytes | set | frozenset)
    labels = tuple(given) if ordered else ()
    if not labels or not all(isinstance(label, str) for label in labels):
        raise UserError(_SUCH)
    return tuple(str(label) for label in labels)  # numpy has words of its own


def _of_mapping(given: Mapping[Any, Any], classes: int | None) -> tuple[str, ...]:
    by_number: dict[int | None, Any] = {_number(key): value for key, value in given.items()}
    if None in by_number:  # {"cat": 0}, torchvision's class_to_idx
        by_number = {_number(value): key for key, value in given.items()}
    elif None not in map(_number, given.values()):  # {"10": 2}, the same of folders called by numbers
        by_number = _of_numbers(given)
    named = {number: _word(value) for number, value in by_number.items()}
    if not named or len(named) < len(given) or None in named or None in named.values():
        raise UserError(_SUCH)
    count = 1 + max(named, key=lambda number: number or 0) if classes is None else classes  # type: ignore[operator]
    if beyond := [number for number in named if number is not None and number >= count]:
        there = f"{count} classes, 0 to {count - 1}" if count > 1 else "1 class, whose opposite is class:0@-1"
        raise UserError(f"labels name class {beyond[0]}, but the network has {there}")
    return tuple(named.get(number) or str(number) for number in range(count))


def _of_numbers(given: Mapping[Any, Any]) -> dict[int | None, Any]:
    """The labels by class, where both are numbers: a label is a word, and a class is not."""
    words = {isinstance(label, str) for label in given.values()}
    keys = {isinstance(key, str) for key in given}
    if keys == {True} and words == {False}:
        return {_number(value): label for label, value in given.items()}
    if (keys == {False} and words == {True}) or all(str(key) == str(value) for key, value in given.items()):
        return {_number(key): value for key, value in given.items()}
    if words == {True}:  # YAML and Python's text, read as words
        raise UserError("the labels are numbers, as their classes are; give a list of them, one for each class")
    raise UserError(_SUCH)


def _number(value: Any) -> int | None:
    """The number of a class, which JSON writes as a string."""
    text = str(value)
    return int(text) if not isinstance(value, bool) and text.isascii() and text.isdigit() and len(text) < 7 else None


def _word(value: Any) -> str | None:
    """A label; in Keras' list it is a pair, ``["n01440764", "tench"]``."""
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(word, str) for word in value):
        return f"{value[0]} {value[1]}"
    return str(value) if isinstance(value, str) else None


def _of_file(path: Path) -> Any:
    """The list or the dict in a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return json.loads(text)
        if path.suffix.lower() in _STRUCTURED or text.strip()[:1] + text.strip()[-1:] in ("{}", "[]"):
            return yaml.load(text, yaml.BaseLoader)  # every word a string, also "no" and 1
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: not text, or no JSON
        why = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"cannot read the labels in {path} ({why}); give a file with one label per line") from error
    labels = [line.strip() for line in text.splitlines() if line.strip()]
    if not labels:
        raise UserError(f"{path} holds no labels; it needs one per line, as many as the network has classes")
    return labels
