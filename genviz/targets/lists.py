"""Many targets: parsing a string, ``class:0-99``, into a list of targets.

    targets = entry *("," entry)
    entry   = "all" | target | selection | file

    class:all   class:0-99               all classes, or some by their numbers
    filter:fire8:all   filter:fire8:0-7  the filters of a layer
    neuron:fire8:all   neuron:fire8:0-7  the neuron in the middle of each
    filter:fire8:top9:harmonica          the filters that contribute most to a class, one target each
    layer:all                            all layers
    class:harmonica   class:tench+zebra  a target, as in ``target=``
    classes.txt                          a file with one entry per line; # starts a comment

``all`` alone is ``class:all``. A target that occurs twice is made once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from genviz.errors import UserError, shown
from genviz.interfaces import Layer
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_filters
from genviz.targets.selections import find_selections
from genviz.targets.spelling import LISTS

Choose = Callable[[str], list[str]]
"""Turns ``filter:fire8:top9:harmonica`` into targets."""

_RANGE = re.compile(r"(\d{1,9})-(\d{1,9})", re.ASCII)


def parse_targets(text: str, labels: Sequence[str], layers: Sequence[Layer], choose: Choose) -> list[Target]:
    """Read the string ``text``, for a classifier with these ``labels`` and ``layers``.

    Args:
        choose: resolves entries that name filters by their contribution.

    Raises:
        UserError: an entry is malformed, names what the classifier does not have, or is a file that cannot be read.
    """
    entries = _entries(text, depth=0)
    if not entries:
        raise UserError(f"targets={shown(text)} names no target; examples: {LISTS}")
    found: dict[str, Target] = {}
    for entry, where in entries:
        try:
            for single in choose(entry) if find_selections(entry) else _singles(entry, labels, layers):
                target = parse_target(single, labels, layers)
                found.setdefault(target.folder, target)
        except UserError as error:
            raise UserError(f"{where}{error}") from None
    return list(found.values())


def _entries(text: str, depth: int) -> list[tuple[str, str]]:
    """The entries, with each file replaced by its own, and where each was found, for error messages."""
    entries = []
    for part in text.split(","):
        entry = part.strip()
        if entry and ":" not in entry and entry != "all" and depth == 0:
            for number, line in enumerate(_lines(entry), 1):
                where = f"{entry}, line {number}: "
                try:
                    entries += [(single, where) for single, _ in _entries(line.partition("#")[0], depth=1)]
                except UserError as error:
                    raise UserError(f"{where}{error}") from None
        elif entry and ":" not in entry and entry != "all":
            raise UserError(f"'{shown(entry)}' in a file names no target; examples: {LISTS.partition(', or')[0]}")
        elif entry:
            entries.append((entry, ""))
    return entries


def _lines(name: str) -> list[str]:
    try:
        path = Path(name).expanduser()
        found = path.is_file()
    except (OSError, RuntimeError, ValueError):  # a name that is too long, the home of nobody, or a zero byte
        found = False
    if not found:
        raise UserError(f"targets={shown(name)}: there is no such file, and it names no target; examples: {LISTS}")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"targets={shown(name)}: the file cannot be read as text ({error})") from error


def _singles(entry: str, labels: Sequence[str], layers: Sequence[Layer]) -> list[str]:
    """The targets of an entry."""
    if entry == "all":
        entry = "class:all"
    kind, _, rest = entry.partition(":")
    layer_name, _, selection = rest.rpartition(":")
    kind, selection = kind.strip().casefold(), selection.strip().casefold()
    if kind == "class" and not layer_name:
        if _RANGE.fullmatch(selection) and selection in (label.casefold() for label in labels):
            return [entry]  # a class called 4-6
        return [f"class:{number}" for number in _numbers(entry, selection, len(labels), "classes")] or [entry]
    if kind == "layer" and selection == "all" and not layer_name:
        return [f"layer:{layer.name}" for layer in layers]
    if kind in ("filter", "neuron") and layer_name and (selection == "all" or _RANGE.fullmatch(selection)):
        layer = find_filters(layer_name.strip(), layers)
        middle = [f":{side // 2}" for side in layer.shape[1:] if kind == "neuron"]
        numbers = _numbers(entry, selection, layer.shape[0], "filters")
        return [f"{kind}:{layer.name}:{number}{''.join(middle)}" for number in numbers]
    return [entry]


def _numbers(entry: str, selection: str, count: int, what: str) -> Sequence[int]:
    """The numbers that ``all`` or a range stands for; none for anything else."""
    if selection == "all":
        return range(count)
    if not (given := _RANGE.fullmatch(selection)):
        return ()
    first, last = int(given[1]), int(given[2])
    if not first <= last < count:
        raise UserError(
            f"targets={shown(entry)}: there are {count} {what}, numbered 0 to {count - 1}; "
            "give a range within these, the smaller number first"
        )
    return range(first, last + 1)
