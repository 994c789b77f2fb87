"""The API's pages hold every module, and docstrings mean what they say."""

import re

import pytest
from conftest import ROOT

pytest.importorskip("sphinx")

import api_pages


def test_every_module_is_on_one_page():
    pages = api_pages.pages()
    documented = [name for text in pages.values() for name in re.findall(r"automodule:: (\S+)", text)]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "genviz").rglob("*.py")
    ]
    assert sorted(documented) == sorted(modules)
    listed = re.findall(r"^   (genviz\S*)$", pages["index"], re.MULTILINE)
    assert sorted(listed) == sorted(set(pages) - {"index"})


@pytest.mark.parametrize(
    ("docstring", "escaped"),
    [
        ("(n, *shape)", r"(n, \*shape)"),
        ("the mean of |g|", r"the mean of \|g\|"),
        ("`a*b` and ``|c|``, x_i", "`a*b` and ``|c|``, x_i"),
        ("scores_", r"scores\_"),
        ("Write::\n\n    a * b\n\nand * c", "Write::\n\n    a * b\n\nand \\* c"),
        (">>> a * b\n3", ">>> a * b\n3"),
        ("Like\n\n    f(*a)", "Like\n\n::\n\n    f(*a)"),
        ("Args:\n    a: b\n\n    c: d", "Args:\n    a: b\n\n    c: d"),
        ("Says\n\n    a sentence * of this", "Says\n\n    a sentence \\* of this"),
        ("`over\ntwo*lines` *", "`over\ntwo*lines` \\*"),
    ],
)
def test_only_backticks_are_markup(docstring, escaped):
    assert api_pages._escaped(docstring) == escaped


def test_a_name_is_the_one_that_the_module_imports():
    assert api_pages._imports("genviz.coupling")["Sum"] == "genviz.objectives.sum.Sum"
    assert "nn" not in api_pages._imports("genviz.coupling")
