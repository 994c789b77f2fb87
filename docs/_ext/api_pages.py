"""Writes ``reference/api/``: a page for each folder and module of ``genviz/``, which autodoc fills from docstrings.

The only markup in genviz's docstrings is backticks, and a name in them may be one that the module imports, or any that
nothing else in genviz has: `Activation`. Sphinx is told both here.
"""

from __future__ import annotations

import ast
import re
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, TypeVar

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform

import genviz

FOLDER = "reference/api"
FRONT = f"{FOLDER}/genviz"
"""The page of what ``import genviz`` gives: the same things have entries where they are defined."""
_PACKAGE = Path(genviz.__path__[0])
_MEMBERS = ("   :members:", "   :show-inheritance:")
_CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
_MARKUP = re.compile(r"[*|]|(?<=\w)_(?!\w)")


def pages() -> dict[str, str]:
    """The pages' text, by name: ``index``, ``genviz``, and a folder's or module's, ``objectives``."""
    names = [f"genviz.{found.name}" for found in iter_modules([str(_PACKAGE)])]
    toctree = [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in ("genviz", *names)), ""]
    index = [_title("Python API"), _list(["genviz", *names]), *toctree]
    front = [_title("genviz"), ".. automodule:: genviz", "   :members:", "   :imported-members:", ""]
    made = {"index": index, "genviz": front} | {name: list(_folder(name)) for name in names}
    return {name: "\n".join(lines) for name, lines in made.items()}


def _folder(name: str) -> Iterator[str]:
    """A folder's own docstring, then every module below it; or a module."""
    yield _title(name)
    yield _automodule(name)
    below = list(_below(name))
    if below:
        yield _list(below)
    for module in below:
        yield _title(module, "-")
        yield _automodule(module)


def _below(name: str) -> Iterator[str]:
    path = _PACKAGE.joinpath(*name.split(".")[1:])
    for found in iter_modules([str(path)]) if path.is_dir() else ():
        yield f"{name}.{found.name}"
        yield from _below(f"{name}.{found.name}")


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _automodule(name: str) -> str:
    return "\n".join([f".. automodule:: {name}", *_MEMBERS, ""])


def _list(names: list[str]) -> str:
    """A table of modules, each with the first line of its docstring."""
    rows = []
    for name in names:
        told = (ast.get_docstring(_parsed(name)) or "").partition("\n")[0]
        rows += [f"   * - :py:mod:`{name}`", f"     - {_escaped(told)}"]
    return "\n".join([".. list-table::", "   :class: settings", "", *rows, ""])


@cache
def _parsed(module: str) -> ast.Module:
    path = _PACKAGE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _imports(module: str) -> dict[str, str]:
    """The full name of each of genviz's things that ``module`` imports, by the name that it has there."""
    found = (node for node in ast.walk(_parsed(module)) if isinstance(node, ast.ImportFrom))
    own = (node for node in found if (node.module or "").startswith("genviz"))
    return {alias.asname or alias.name: f"{node.module}.{alias.name}" for node in own for alias in node.names}


def _write(app: Sphinx) -> None:
    """Write the pages that have changed, and remove those of modules that are gone."""
    folder = Path(app.srcdir, FOLDER)
    folder.mkdir(exist_ok=True)
    made = {folder / f"{name}.rst": text for name, text in pages().items()}
    for path in set(folder.glob("*.rst")) - set(made):
        path.unlink()
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _prepare(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    """Escape what is no markup, and drop what Python says of each field of a NamedTuple."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    lines[:] = _escaped("\n".join(lines)).split("\n")
    if what in ("attribute", "property", "data"):
        lines.insert(0, "\\ ")  # napoleon takes what is before a colon in the first line for the type


def _escaped(text: str) -> str:
    """The docstring with a backslash before what reStructuredText would take for markup, but not in code."""
    paragraphs = re.split(r"(\n\s*\n)", text)
    code = False
    for at in range(0, len(paragraphs), 2):
        paragraph = paragraphs[at]
        code = paragraph.lstrip().startswith((">>>", ".. ")) or (code and paragraph.startswith(" "))
        if not code and paragraph.startswith(" ") and _is_code(paragraph):
            paragraphs[at] = f"::\n\n{paragraph}"
        elif not code:
            pieces = _CODE.split(paragraph)
            pieces[::2] = [_MARKUP.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
            paragraphs[at] = "".join(pieces)
        code = code or paragraph.rstrip().endswith("::")
    return "".join(paragraphs)


def _is_code(paragraph: str) -> bool:
    """Whether it is Python that does something; ``name: text`` of an Args section would be Python, too."""
    try:
        statements = ast.parse(textwrap.dedent(paragraph)).body
    except SyntaxError:
        return False
    kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.Call)
    return all(isinstance(s.value if isinstance(s, ast.Expr) else s, kinds) for s in statements)


class _Names(SphinxPostTransform):
    """Gives each name in a docstring or signature its full one, before Sphinx looks for it."""

    default_priority = 5  # Sphinx: 10

    def run(self, **kwargs: Any) -> None:  # noqa: ARG002
        """Rewrite the targets; a name that several things have, and its module none of them, becomes mere code."""
        for text in [text for text in self.document.findall(nodes.Text) if text == " -- "]:  # before an argument's text
            text.parent.replace(text, nodes.Text(" \N{EN DASH} "))
        for node in list(self.document.findall(pending_xref)):
            target = node.get("reftarget", "")
            if node.get("refdomain") != "py" or target.startswith("genviz.") or not target:
                continue
            found = self._found(target, node.get("py:module") or "", node.get("py:class") or "")
            if len(found) == 1:
                node["reftarget"] = found[0]
            elif found:
                node.replace_self(node.children)

    def _found(self, name: str, module: str, class_: str) -> list[str]:
        known = self.env.domains.python_domain.objects
        imported = _imports(module).get(name, "") if module.startswith("genviz") else ""
        for full in (f"{module}.{class_}.{name}", f"{module}.{name}", imported):
            if full in known:
                return [full]
        return [full for full in known if full.endswith(f".{name}") and known[full].docname != FRONT]


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement) -> nodes.Node | None:  # noqa: ARG001
    """No link for what has no entry: a private class, a type variable."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    thing = getattr(sys.modules.get(module), name, None)
    return content if module.startswith("genviz.") and (name.startswith("_") or isinstance(thing, TypeVar)) else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before the build, and make docstrings and names clear during it."""
    app.connect("builder-inited", _write)
    app.connect("autodoc-process-docstring", _prepare, priority=400)  # before napoleon
    app.add_post_transform(_Names)
    app.connect("missing-reference", _find)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
