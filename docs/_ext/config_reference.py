"""Directives that show the YAML files of ``configs/`` and the commands, from what these say of themselves.

``config-groups`` shows every group of parts (``:exclude:`` names those that another page shows), ``config-group NAME``
the files of one, and ``genviz-commands`` every command. The role ``config`` links to a file: ``generator/fourier``, or
to a group: ``generator``.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from config_files import ConfigFile, Panels, Part, Setting, files, groups
from docutils import nodes
from docutils.parsers.rst import directives
from hydra.utils import get_class
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.util.docutils import SphinxDirective

from genviz.commands.configured import Configured
from genviz.commands.main import genviz
from genviz.files import shipped_folder
from genviz.training import schema

CONFIGS = shipped_folder("configs")
Row = tuple[list[nodes.Node], ...]
"""The cells of a table's row."""


class _Configs(SphinxDirective):
    """What the directives share; a page is read again when a file of ``configs/`` changes."""

    def section(self, key: str, title: str) -> nodes.section:
        """An empty section that the role ``config`` links to by ``key``."""
        anchor = nodes.make_id(f"config-{key}")
        section = nodes.section(ids=[anchor])
        section += nodes.title(title, title)
        self.set_source_info(section)
        self.state.document.note_explicit_target(section)
        domain: StandardDomain = self.env.domains.standard_domain
        domain.note_object("config", key, anchor, location=section)
        return section

    def files(self, group: str) -> list[ConfigFile]:
        """The files of ``group``, as dependencies of this page."""
        for path in (CONFIGS / group, *(CONFIGS / group).glob("*.yaml")):
            self.env.note_dependency(str(path))
        return files(CONFIGS, group)

    def file(self, file: ConfigFile) -> nodes.section:
        """The section on a file of a group."""
        section = self.section(f"{file.group}/{file.name}", f"{file.group}={file.name}")
        section += [nodes.paragraph("", "", *_words(text)) for text in (file.about, *file.notes) if text]
        if file.bases:
            section += nodes.paragraph("", "Extends ", *_joined(self.link(file.group, base) for base in file.bases))
        if file.classes:
            section += nodes.paragraph("", "Makes ", *_joined(_class(name) for name in file.classes))
        if file.parts or file.settings:
            section += self.table(file.parts, file.settings)
        if file.panels:
            section += nodes.paragraph("", "Pictures of the figure, and the words that each adds:")
            section += nodes.definition_list("", *(_panels(panels) for panels in file.panels))
        return section

    def link(self, group: str, choice: str = "") -> nodes.Node:
        """A link to a file or a group; mere text where the choice is no file's name."""
        name = choice.partition("@")[0]
        if choice and not (CONFIGS / group / f"{name}.yaml").exists():
            return nodes.literal("", choice)
        key = f"{group}/{name}" if choice else group
        text = nodes.literal("", f"{group}={choice}" if choice else group)
        return _reference("std", "config", key, text)

    def table(self, parts: Sequence[Part], settings: Sequence[Setting]) -> nodes.table:
        """The parts that are chosen and the settings, a row each."""
        return _table(("Setting", "Default", ""), [*map(self._part, parts), *map(_setting, settings)])

    def _part(self, part: Part) -> Row:
        key = nodes.literal("", part.name)
        name = _reference("std", "config", part.group, key)
        choices = [self.link(part.group, choice) for choice in part.choices]
        for choice in choices:
            for literal in choice.findall(nodes.literal):
                literal[:] = [nodes.Text(literal.astext().rpartition("=")[2])]
        return [name], _joined(choices), _words(part.comment)


class ConfigGroups(_Configs):
    """Every group of parts."""

    option_spec = {"exclude": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Make a section for each group, and in it one for each file."""
        apart = self.options.get("exclude", "").split()
        return [self._group(group) for group in groups(CONFIGS) if group not in apart]

    def _group(self, group: str) -> nodes.section:
        section = self.section(group, group)
        users = [file.name for file in self.files("") if any(part.group == group for part in file.parts)]
        links = [_reference("std", "config", name, nodes.literal("", f"genviz {name}")) for name in users]
        if links:
            section += nodes.paragraph("", "Chosen in ", *_joined(links))
        section += [self.file(file) for file in self.files(group)]
        return section


class ConfigGroup(_Configs):
    """A group of parts, with a table of its files above them."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Make the table, and a section for each file."""
        group = self.arguments[0]
        found = self.files(group)
        domain: StandardDomain = self.env.domains.standard_domain
        anchor = nodes.make_id(f"config-{group}")
        target = nodes.target("", "", ids=[anchor])
        domain.note_object("config", group, anchor, location=target)
        return [target, _table((group.capitalize(), ""), map(self._listed, found)), *map(self.file, found)]

    @staticmethod
    def _listed(file: ConfigFile) -> Row:
        link = _reference("std", "config", f"{file.group}/{file.name}", nodes.literal("", file.name))
        return [link], _words(file.about)


class Commands(_Configs):
    """Every command of ``genviz``, in the order of ``genviz --help``."""

    def run(self) -> list[nodes.Node]:
        """Make a section for each: from its YAML where it has one, otherwise from its options."""
        configured = {file.name: file for file in self.files("")}
        made: list[nodes.Node] = []
        for name, command in genviz.commands.items():
            if isinstance(command, Configured):
                made.append(self._configured(configured[name], _schema(command)))
            else:
                place = f"genviz.commands.{name}:command"
                text = f"```{{eval-rst}}\n.. click:: {place}\n   :prog: genviz {name}\n   :nested: full\n```"
                made += self.parse_text_to_nodes(text, allow_section_headings=True)
        return made

    def _configured(self, file: ConfigFile, known: dict[str, schema.Setting]) -> nodes.section:
        section = self.section(file.name, f"genviz {file.name}")
        section += _told(file.header)
        section += _told(file.footer)
        if file.bases:
            links = [_reference("std", "config", base, nodes.literal("", f"genviz {base}")) for base in file.bases]
            section += nodes.paragraph("", "It also takes every setting of ", *_joined(links))
        settings = [setting for setting in file.settings if not setting.name.startswith("choices")]
        section += self.table(file.parts, [_explained(setting, known) for setting in settings])
        return section


def _setting(setting: Setting) -> Row:
    default: list[nodes.Node] = [] if setting.default is None else [nodes.literal("", setting.default)]
    if setting.default == "???":
        default = [nodes.emphasis("", "required")]
    return [nodes.literal("", setting.name)], default, _words(setting.comment)


def _schema(command: Configured) -> dict[str, schema.Setting]:
    """What the schema of a configured command says of each setting."""
    settings: type[schema.Settings] = get_class(command.settings)
    return {setting.name: setting for setting in settings.listed()}


def _explained(setting: Setting, known: dict[str, schema.Setting]) -> Setting:
    """The setting with the schema's help, which says what values it takes; otherwise with the file's comment."""
    if setting.name not in known:
        return setting
    kind = known[setting.name].kind.partition(";")[0].replace(f" to {schema.LARGEST}", " up")
    return setting._replace(comment=f"{known[setting.name].help} ({kind})")


def _panels(panels: Panels) -> nodes.definition_list_item:
    """The pictures of a figure: a line each, and an empty one between two rows."""
    names = [nodes.literal("", f"classifier={name}") for name in panels.classifiers]
    text = "\n\n".join("\n".join(row) for row in panels.rows)
    block = nodes.literal_block(text, text, language="text")
    return nodes.definition_list_item("", nodes.term("", "", *_joined(names)), nodes.definition("", block))


def _told(text: str) -> list[nodes.Node]:
    """The paragraphs of a help text; what is indented is code."""
    made: list[nodes.Node] = []
    for indented, blocks in groupby(re.split(r"\n\s*\n", text), key=lambda block: block.startswith(" ")):
        if indented:
            code = textwrap.dedent("\n\n".join(blocks))
            made.append(nodes.literal_block(code, code, language="text"))
        else:
            made += [nodes.paragraph("", "", *_words(block)) for block in blocks if block]
    return made


def _words(text: str) -> list[nodes.Node]:
    """The text, with what it has between backticks as code."""
    pieces = re.split(r"`([^`]+)`", text)
    return [nodes.literal("", piece) if at % 2 else nodes.Text(piece) for at, piece in enumerate(pieces) if piece]


def _joined(parts: Iterable[nodes.Node]) -> list[nodes.Node]:
    """With commas between them."""
    return [node for part in parts for node in (nodes.Text(", "), part)][1:]


def _reference(domain: str, kind: str, target: str, text: nodes.Node) -> addnodes.pending_xref:
    return addnodes.pending_xref(
        "", text, refdomain=domain, reftype=kind, reftarget=target, refexplicit=True, refwarn=True
    )


def _class(name: str) -> nodes.Node:
    text = nodes.literal("", name.rpartition(".")[2] if name.startswith("genviz.") else name)
    return _reference("py", "class", name, text) if name.startswith("genviz.") else text


def _table(titles: Sequence[str], rows: Iterable[Row]) -> nodes.table:
    """A table, without the last column where nothing is in it."""
    rows = list(rows)
    if not any(row[-1] for row in rows):
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in titles), cols=len(titles))
    group += nodes.thead("", _row([nodes.Text(title)] for title in titles))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["settings", "colwidths-auto"])


def _row(cells: Iterable[list[nodes.Node]]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives and the role."""
    app.add_crossref_type("config", "config", objname="configuration")
    app.add_directive("config-groups", ConfigGroups)
    app.add_directive("config-group", ConfigGroup)
    app.add_directive("genviz-commands", Commands)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
