"""What a YAML file of ``configs/`` says: its leading comment, its parts, and each setting with default and comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_GLOBAL = re.compile(r"@package\s+_global_\s*")


class Setting(NamedTuple):
    """A setting, by the name that it has on the command line."""

    name: str
    """``generator.sigma``"""
    default: str | None
    """As the file writes it; None where other settings are below it."""
    comment: str


class Part(NamedTuple):
    """A choice from another group: ``generator: untrained``."""

    name: str
    """What the group is called on the command line: ``generator``, ``teacher``."""
    group: str
    """Its folder: ``generator``, ``classifier``; '' for that of the file itself."""
    choices: tuple[str, ...]
    comment: str


class Panels(NamedTuple):
    """The pictures of a figure."""

    classifiers: tuple[str, ...]
    """That they are drawn of."""
    rows: tuple[tuple[str, ...], ...]
    """For each picture the words that are added to the command line."""


class ConfigFile(NamedTuple):
    """One YAML file."""

    group: str
    """The folder that it is in; '' for that of a command."""
    name: str
    about: str
    """The comment at its top."""
    notes: tuple[str, ...]
    """What else it says of itself: beside the class, and in lines further down."""
    bases: tuple[str, ...]
    """The files of the same folder that it extends."""
    parts: tuple[Part, ...]
    settings: tuple[Setting, ...]
    classes: tuple[str, ...]
    """What it makes: ``genviz.generators.fourier.Fourier``."""
    panels: tuple[Panels, ...]
    header: str
    """What the command's ``--help`` begins with."""
    footer: str
    """And ends with."""


def groups(configs: Path) -> list[str]:
    """The groups of parts that can be chosen from."""
    return sorted(folder.name for folder in configs.iterdir() if any(folder.glob("*.yaml")))


def files(configs: Path, group: str = "") -> list[ConfigFile]:
    """The files of a group, by name; without one, those of the commands."""
    return [read(path, configs) for path in sorted((configs / group).glob("*.yaml"))]


def read(path: Path, configs: Path) -> ConfigFile:
    """Read ``path``, which is somewhere below the folder ``configs``."""
    group = path.parent.relative_to(configs).as_posix().removeprefix(".")
    return _Reader(path.read_text(encoding="utf-8"), group).read(path.stem)


class _Reader:
    def __init__(self, text: str, group: str) -> None:
        self.text, self.lines, self.group = text, text.splitlines(), group
        self.comments = _comments(self.lines)
        about = self.comments.pop(0, "")
        self.prefix = "" if not group or _GLOBAL.match(about) else f"{group}."
        self.about = _GLOBAL.sub("", about)
        self.entries = _mapping(yaml.compose(text))

    def read(self, name: str) -> ConfigFile:
        entries = {key.value: (key, value) for key, value in self.entries}
        _, defaults = entries.pop("defaults", (None, None))
        _, hydra = entries.pop("hydra", (None, None))
        if not self.group:
            entries.pop("command", None)
        panels = _panels(entries["panels"][1]) if "panels" in entries else ()
        if panels:
            del entries["panels"]
        told = {key.value: value.value for key, value in _mapping(_child(hydra, "help"))}
        choices = list(self._choices(defaults))
        found = [setting for key, value in entries.values() for setting in self._settings(self.prefix, key, value)]
        made = [setting for setting in found if setting.name.endswith("_target_")]
        return ConfigFile(
            group=self.group,
            name=name,
            about=self.about,
            notes=tuple(setting.comment for setting in made if setting.comment)
            + (tuple(self.comments.values()) if self.group else ()),
            bases=tuple(choice for part in choices if not part.group for choice in part.choices),
            parts=tuple(part for part in choices if part.group),
            settings=tuple(setting for setting in found if setting not in made),
            classes=tuple(setting.default or "" for setting in made),
            panels=panels,
            header=told.get("header", "").strip(),
            footer=told.get("footer", "").strip(),
        )

    def _choices(self, defaults: Node | None) -> Iterator[Part]:
        """The parts of a defaults list; those without a group are files of this one's folder."""
        for entry in defaults.value if isinstance(defaults, SequenceNode) else []:
            if isinstance(entry, ScalarNode):
                if entry.value not in ("_self_", "base"):
                    yield Part("", "", (entry.value,), self._comment(entry))
                continue
            ((key, value),) = entry.value
            group, _, place = re.sub(r"^(override|optional)\s+", "", key.value).removeprefix("/").partition("@")
            if not group.startswith("hydra/"):
                choices = value.value if isinstance(value, SequenceNode) else [value]
                yield Part(place or group, group, tuple(choice.value for choice in choices), self._comment(value))

    def _settings(self, prefix: str, key: Node, value: Node) -> Iterator[Setting]:
        name = f"{prefix}{key.value}"
        if isinstance(value, MappingNode) and value.value and not value.flow_style:
            comment = self._comment(key) or ("" if self.group else self.comments.get(key.start_mark.line, ""))
            if comment:
                yield Setting(name, None, comment)
            for below, nested in value.value:
                yield from self._settings(f"{name}.", below, nested)
        elif isinstance(value, SequenceNode) and not value.flow_style:
            items = ", ".join(" ".join(self._source(item).split()) for item in value.value)
            yield Setting(name, f"[{items}]", self._comment(key))
        else:
            yield Setting(name, " ".join(self._source(value).split()), self._comment(value))

    def _source(self, node: Node) -> str:
        return self.text[node.start_mark.index : node.end_mark.index]

    def _comment(self, node: Node) -> str:
        """The comment that follows ``node`` in its line."""
        rest = self.lines[node.end_mark.line][node.end_mark.column :]
        return rest.partition("#")[2].strip()


def _comments(lines: list[str]) -> dict[int, str]:
    """The comments that have lines of their own: at the top by 0, the others by the line that follows them."""
    found: dict[int, list[str]] = {}
    block: list[str] = []
    for number, line in enumerate([*lines, ""]):
        if line.startswith("#"):
            block.append(line.lstrip("#").strip())
        elif block:
            found[number if found or number > len(block) else 0] = block
            block = []
    return {number: " ".join(block) for number, block in found.items()}


def _mapping(node: Node | None) -> list[tuple[Node, Node]]:
    return node.value if isinstance(node, MappingNode) else []


def _child(node: Node | None, name: str) -> Node | None:
    return next((value for key, value in _mapping(node) if key.value == name), None)


def _panels(node: Node) -> tuple[Panels, ...]:
    """The pictures by classifier; classifiers of the same pictures together."""
    found: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for key, value in _mapping(node):
        rows = value.value if isinstance(value.value[0], SequenceNode) else [value]
        words = tuple(tuple(panel.value for panel in row.value) for row in rows)
        found.setdefault(words, []).append(key.value)
    return tuple(Panels(tuple(classifiers), rows) for rows, classifiers in found.items())
