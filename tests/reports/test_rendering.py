import re

import pytest
from jinja2 import UndefinedError
from made_up import make_run

from genviz.reports.class_page import page
from genviz.reports.rendering import TEMPLATES, render
from genviz.reports.review import write_review

PAGES = sorted(path.name for path in TEMPLATES.glob("*.html") if path.name != "base.html")
STYLE = (TEMPLATES / "style.css").read_text(encoding="utf-8")


def test_the_pages_share_one_style_sheet(facts, tmp_path):
    make_run(tmp_path)
    for text in (page(facts), write_review(tmp_path).read_text(encoding="utf-8")):
        assert re.findall("<style>(.*?)</style>", text, re.DOTALL) == [f"\n{STYLE}"]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_a_base_page_and_lets_nothing_through(name):
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    assert text.startswith('{% extends "base.html" %}')
    assert not re.search(r"\|\s*safe\b|autoescape", text)


@pytest.mark.parametrize("path", [*TEMPLATES.glob("*.css"), *TEMPLATES.glob("*.js")], ids=lambda path: path.name)
def test_what_is_inlined_does_not_end_its_element(path):
    assert "</" not in path.read_text(encoding="utf-8")


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError):
        render("review.html", review={"root": "outputs"})
