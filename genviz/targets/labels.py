"""Finding classes, layers and other names as people write them."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Sequence
from functools import cache

from genviz.errors import UserError


@cache
def slug(name: str) -> str:
    """``name`` without case, accents, spaces, hyphens, apostrophes: ``jack-o'-lantern`` is ``jackolantern``."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in plain if character.isalnum())


def nearest(name: str, names: Sequence[str], count: int = 5) -> list[str]:
    """The ``count`` of ``names`` most like ``name``: those that contain it first, then by spelling."""
    slugs: dict[str, str] = {}
    for candidate in names:
        slugs.setdefault(slug(candidate), candidate)
    wanted = slug(name)
    inside = sorted((s for s in slugs if len(wanted) > 2 and wanted in s), key=len)
    alike = difflib.get_close_matches(wanted, slugs, n=count, cutoff=0.5)
    return [slugs[s] for s in dict.fromkeys([*inside, *alike])][:count]


def find_class(name: str, labels: Sequence[str]) -> int:
    """The index of the class that ``name``, a label or a number, stands for.

    Raises:
        UserError: no class, or more than one, has that name.
    """
    if name.isascii() and name.isdigit():
        index = int(name)
        if index >= len(labels):
            raise UserError(f"there is no class {name}: the {len(labels)} classes are numbered 0 to {len(labels) - 1}")
        return index
    found = [index for index, label in enumerate(labels) if slug(label) == slug(name) != ""]
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(f"class:{index} ({labels[index]})" for index in found)
        raise UserError(f"'{name}' is the name of {len(found)} classes; choose one by number: {candidates}")
    if list(labels) == [str(number) for number in range(len(labels))]:
        raise UserError(
            f"'{name}': the network does not name its classes; give a number, such as class:1, or its labels"
        )
    likely = ", ".join(f"{label} (class:{labels.index(label)})" for label in nearest(name, labels))
    raise UserError(
        f"no class is called '{name}'" + (f"; nearest: {likely}" if likely else "") + "; genviz labels lists them all"
    )
