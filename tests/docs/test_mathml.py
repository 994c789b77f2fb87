"""Formulas become MathML, and one that cannot says so."""

import re

import pytest

pytest.importorskip("sphinx")

CONF = """
extensions = ["myst_parser", "mathml"]
html_math_renderer = "mathml"
html_theme = "basic"
myst_enable_extensions = ["dollarmath"]
"""


def built(folder, text):
    from sphinx.testing.util import SphinxTestApp

    (folder / "conf.py").write_text(CONF)
    (folder / "index.md").write_text(f"# A page\n\n{text}\n")
    app = SphinxTestApp(srcdir=folder)
    app.build()
    html, warnings = (app.outdir / "index.html").read_text(), app.warning.getvalue()
    app.cleanup()
    return html, warnings


def test_formulas_are_mathml_and_need_no_script(tmp_path):
    html, warnings = built(tmp_path, "The $x^2$ and\n\n$$\\frac{a}{b}$$")
    assert warnings == ""
    assert "<msup>" in html
    assert 'display="block"' in html
    assert "<mfrac>" in html
    assert "http" not in "".join(re.findall(r"<script[^>]*>", html))


def test_what_is_no_formula_is_warned_of(tmp_path):
    html, warnings = built(tmp_path, "The $\\nonsense{x}$")
    assert "nonsense" in warnings
    assert "nonsense" in html
