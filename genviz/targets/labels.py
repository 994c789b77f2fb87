"""Finding classes, layers and other names as people write them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache

from genviz.errors import UserError, shown
from genviz.targets.wordnet import synsets

_LONGEST = 100  # characters of a name that is still compared with others
_SHARE = 0.98  # of the labels that must be ImageNet's; some lists call 'crane bird' a crane
_NUMBERED = re.compile(r"(n\d{8})\b[\s:,]*(.*)", re.DOTALL)
"""A line of ImageNet's own lists, ``n02814860 beacon, lighthouse``."""


@cache
def slug(name: str) -> str:
    """``name`` without case, accents, spaces, hyphens, apostrophes: ``jack-o'-lantern`` is ``jackolantern``."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in plain if character.isalnum())


def spelt(label: str) -> str:
    """``label`` as a piece of a target: ``jack-o-lantern``."""
    return re.sub(r"[^\w]+", "-", re.sub(r"['’]", "", label.casefold())).strip("-")


def nearest(name: str, names: Sequence[str], count: int = 5) -> list[str]:
    """The ``count`` of ``names`` most like ``name``: those that contain it first, then by spelling."""
    slugs: dict[str, str] = {}
    for candidate in names:
        slugs.setdefault(slug(candidate), candidate)
    wanted = slug(name[:_LONGEST])
    inside = sorted((s for s in slugs if len(wanted) > 2 and wanted in s), key=len)
    alike = difflib.get_close_matches(wanted, slugs, n=count, cutoff=0.5)
    return [slugs[s] for s in dict.fromkeys([*inside, *alike])][:count]


def find_class(name: str, labels: Sequence[str]) -> int:
    """The index of the class that ``name``, a label, another word for it (`words_of`), or a number, stands for.

    A label goes before the words of other classes: ``harp`` is the harp, not the mouth harp.

    Raises:
        UserError: no class, or more than one, has that name.
    """
    if not labels:
        raise UserError(
            f"there is no class {shown(name)}: the network has no classes; name a layer, a filter or a neuron"
        )
    if name.isascii() and name.isdigit():
        if len(name) > 9 or int(name) >= len(labels):
            if len(labels) == 1:
                raise UserError(
                    f"there is no class {shown(name)}: the network has a single score, class:0; "
                    "the other class of a binary one is class:0@-1"
                )
            raise UserError(
                f"there is no class {shown(name)}: the {len(labels)} classes are numbered 0 to {len(labels) - 1}"
            )
        return int(name)
    if name.startswith("-") and slug(name) and name not in labels:
        numbered = f": they are numbered 0 to {len(labels) - 1}" if slug(name).isdigit() else ""
        instead = f"class:{shown(name.lstrip('- '))}@-1"
        raise UserError(f"'{shown(name)}' is no class{numbered}; what should not fire has a negative weight, {instead}")
    words = _classes_by_word(tuple(labels))
    found = _labelled(name, labels) or words.get(slug(name), ())
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(f"class:{index} ({shown(labels[index])})" for index in found)
        raise UserError(f"'{name}' is the name of {len(found)} classes; choose one by number: {candidates}")
    if list(labels) == [str(number) for number in range(len(labels))]:
        raise UserError(
            f"'{shown(name)}': the network's classes have no names; give a number, such as "
            f"class:{min(1, len(labels) - 1)}, or name them with classifier.labels=FILE (from Python, labels=)"
        )
    likely = nearest(name, [*labels, *(word for word, classes in words.items() if len(classes) == 1)])
    told = ", ".join(f"{shown(word)} (class:{(_labelled(word, labels) or words[word])[0]})" for word in likely)
    raise UserError(
        f"no class is called '{shown(name)}'"
        + (f"; nearest: {told}" if told else "")
        + "; genviz labels lists them all"
    )


def class_of_folder(name: str, labels: Sequence[str]) -> int:
    """As `find_class`, of the name of a folder of pictures: a label goes before a number, so that 10 may be one.

    Raises:
        UserError: as for `find_class`.
    """
    return labels.index(name) if labels.count(name) == 1 else find_class(name, labels)


def _labelled(name: str, labels: Sequence[str]) -> Sequence[int]:
    """The classes whose label is ``name``; where that has no letter, to the sign: ``3.5`` is not ``35``."""
    wanted = slug(name)
    if wanted.isdigit():
        return [index for index, label in enumerate(labels) if name in (label, spelt(label))]
    return [index for index, label in enumerate(labels) if slug(label) == wanted != ""]


@lru_cache(maxsize=8)
def _classes_by_word(labels: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The classes that each of their `words_of` stands for, by its slug."""
    meant: dict[str, tuple[int, ...]] = {}
    for index, words in enumerate(words_of(labels)):
        for word in {slug(word) for word in words} - {""}:
            meant[word] = (*meant.get(word, ()), index)
    return meant


@lru_cache(maxsize=8)
def words_of(labels: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The other words for each class.

    Those are the parts of a label that lists several, as in ``n02814860 beacon, lighthouse``; and, for ImageNet's 1,000
    classes and for labels with WordNet's number, that number and WordNet's words.

    >>> import genviz
    >>> words_of(genviz.load_classifier("small").outline.labels)[437]
    ('n02814860', 'lighthouse', 'beacon light', 'pharos')
    """
    by_number = {synset.number: synset for synset in synsets()}
    own = [_parts(label) for label in labels]
    known = [next((by_number[part] for part in parts if part in by_number), None) for parts in own]
    first = len(labels) - len(synsets())  # 1 where the scores begin with the background
    if first in (0, 1):
        called = [{slug(part) for part in parts} for parts in own[first:]]
        alike = sum(not c.isdisjoint(map(slug, s.words)) for c, s in zip(called, synsets(), strict=True))
        if alike > _SHARE * len(synsets()):
            known[first:] = synsets()
    found = []
    for label, parts, synset in zip(labels, own, known, strict=True):
        every = [*parts, *(() if synset is None else (synset.number, *synset.words))]
        words = {slug(word): word for word in reversed(every) if slug(word) not in ("", slug(label))}
        found.append(tuple(reversed(words.values())))
    return tuple(found)


def _parts(label: str) -> list[str]:
    numbered = _NUMBERED.fullmatch(label)
    number, rest = ([], label) if numbered is None else ([numbered[1]], numbered[2])
    return [*number, *(part.strip() for part in rest.split(",") if part.strip())]
