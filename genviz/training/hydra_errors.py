"""Hydra's errors in one clear line: the word as it was typed, what is wrong with it, and what would work."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from genviz.files import shipped_folder
from genviz.targets.labels import nearest

_NO_SETTING = re.compile(r"Could not (?:override|append to config\.?|delete from config\.) '([^']+)'")
_FEW = 15  # choices that a message can list
_NO_CHOICE = re.compile(r"Could not (?:find|load) '([\w/@.]+)/([^'/]+)'")


def unread(word: str) -> str:
    """What is wrong with a word that Hydra cannot read."""
    name, equals, value = word.partition("=")
    if not equals:
        return f"{word}: a setting is written NAME=VALUE, such as updates=100"
    return f"{word} cannot be read; quote a value with special characters: '{name}=\"{value}\"'"


def explained(error: Exception, command: str, words: Sequence[str], settings: Callable[[], Sequence[str]]) -> str:
    """The message of an error about one of ``words``; Hydra's own if it is of an unknown kind.

    Args:
        command: the name of the command, ``train``.
        settings: returns the names of the settings that there are.
    """
    said = str(error)
    if found := _NO_SETTING.search(said):
        name = found[1]
        word = next((word for word in words if word.lstrip("+~").partition("=")[0] == name), name)
        lists = f"genviz {command} --help lists them"
        return f"{word}: there is no such setting{_likely(_nearest(name, settings()))}; {lists}"
    if found := _NO_CHOICE.search(said):
        group, choice = found[1].partition("@")[0], found[2]
        known = sorted(path.stem for path in (shipped_folder("configs") / group).glob("*.yaml"))
        if known:
            if len(known) > _FEW:
                near = nearest(choice, known) or known[:5]
                return (
                    f"{group}={choice}: there is no such {group}; there are {', '.join(near)} and others, in the manual"
                )
            likely = _likely(nearest(choice, known, 1))
            return f"{group}={choice}: there is no such {group}{likely}; there are {', '.join(known)}"
    return said.partition("See https://")[0].partition("Config search path")[0]


def _nearest(name: str, known: Sequence[str]) -> list[str]:
    """The setting most like ``name``: of that name in some group, or else of a name alike in the same group."""
    group, _, last = name.rpartition(".")
    alike = [setting for setting in known if setting.rpartition(".")[2] == last]
    return alike[:1] or nearest(name, [setting for setting in known if setting.rpartition(".")[0] == group], 1)


def _likely(names: Sequence[str]) -> str:
    return f"; nearest: {names[0]}" if names else ""
