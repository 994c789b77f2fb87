"""Pages from the Jinja2 templates in ``templates/``; whatever a template is given is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import genviz

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """The page that ``template`` makes of ``values``, a single file: the style sheet and the scripts are inlined.

    Raises:
        jinja2.UndefinedError: the template uses a value that it was not given.
    """
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only when a page is written

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["formatted"] = format
    environment.globals |= {"source": _source, "version": genviz.__version__}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}  # for the filter tojson
    return environment


def _source(name: str) -> Markup:
    """The style sheet or script ``name``, as it is; it is ours, and nothing in it is filled in."""
    from markupsafe import Markup

    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))
