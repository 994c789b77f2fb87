"""Writes ``reference/api/``: a page for each folder and module of ``genviz/``, which autodoc fills from docstrings.

Also resolves what a docstring names without its module: in `Activation`, the only class of that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment

import genviz

FOLDER = Path("reference/api")
_MEMBERS = ("   :members:", "   :show-inheritance:")


def pages() -> dict[str, str]:
    """The pages' text, by name: ``index``, ``genviz``, and a folder's or module's, ``objectives``."""
    names = [module.name for module in iter_modules(genviz.__path__)]
    listed = "\n".join(f"   genviz.{name}" for name in names)
    made = {
        "index": f"{_title('Python API')}\n.. autosummary::\n   :nosignatures:\n\n   genviz\n{listed}\n\n"
        ".. toctree::\n   :hidden:\n\n" + "".join(f"   {name}\n" for name in ("genviz", *names)),
        "genviz": f"{_title('genviz')}\n" + _automodule("genviz", "   :members:", "   :imported-members:"),
    }
    return made | {name: "\n".join(_folder(f"genviz.{name}")) for name in names}


def _folder(module: str) -> Iterator[str]:
    """A page: the folder's own docstring, then every module in it, and every folder."""
    yield _title(module)
    yield _automodule(module, *_MEMBERS)
    path = Path(genviz.__path__[0], *module.split(".")[1:])
    below = [f"{module}.{found.name}" for found in iter_modules([str(path)])]
    if below:
        yield "\n".join([".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in below), ""])
    for name in _walk(path, module):
        yield _title(name, "-")
        yield _automodule(name, *_MEMBERS)


def _walk(path: Path, module: str) -> Iterator[str]:
    for found in iter_modules([str(path)]):
        yield f"{module}.{found.name}"
        if found.ispkg:
            yield from _walk(path / found.name, f"{module}.{found.name}")


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _automodule(name: str, *options: str) -> str:
    return "\n".join([f".. automodule:: {name}", *options, ""])


def _write(app: Sphinx) -> None:
    """Write the pages that have changed, and remove those of modules that are gone."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    made = {folder / f"{name}.rst": text for name, text in pages().items()}
    for path in set(folder.glob("*.rst")) - set(made):
        path.unlink()
    for path, text in made.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _find(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """The link for a name without its module, where only one thing has it: the shortest path to it counts."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target or target.startswith("genviz."):
        return None
    domain: PythonDomain = env.domains.python_domain
    found = sorted((name for name in domain.objects if name.endswith(f".{target}")), key=len)
    things = {name for name in found if not name.startswith("genviz.") or name.count(".") > 1}
    if not found or len(things) > 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, content)


def _fields(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    """Drop what Python says of each field of a NamedTuple."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before the build, and resolve names during it."""
    app.connect("builder-inited", _write)
    app.connect("missing-reference", _find)
    app.connect("autodoc-process-docstring", _fields)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
