"""WordNet's words for ImageNet's 1,000 classes (Fellbaum 1998; Deng et al. 2009)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_name("wordnet.tsv")


class Synset(NamedTuple):
    """A concept of WordNet."""

    number: str
    """``n02814860``, as ImageNet calls its folders."""
    words: tuple[str, ...]
    """``beacon``, ``lighthouse``, ``beacon light``, ``pharos``."""


@cache
def synsets() -> tuple[Synset, ...]:
    """Those of ImageNet's 1,000 classes, in the order of the scores."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return tuple(Synset(number, tuple(words.split(", "))) for number, words in rows)
