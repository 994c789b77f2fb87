from html.parser import HTMLParser

import pytest

from genviz.reports.class_page import page

NASTY = "<script>alert('&')</script>"
VOID = ("meta", "img", "br")


class Checked(HTMLParser):
    """Sees that what is opened is closed, and collects the pictures and the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        if tag not in VOID:
            self.open.append(tag)
        self.pictures += [value for name, value in attrs if name == "src"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def facts():
    scored = {"number": 1, "label": NASTY, "score": 3.0, "probability": 0.5, "rank": 1}
    other = {"number": 2, "label": "b" + NASTY, "score": 1.0, "probability": 0.25}
    picture = {**scored, "file": "pictures/class.png", "excites": [other]}
    return {
        **dict.fromkeys(("classifier", "generator", "weights", "genviz", "layer", "examples"), NASTY),
        "class": {"number": 1, "label": NASTY},
        "weights_sha256": "0" * 64,
        "updates": 3,
        "seed": 0,
        "note": None,
        "picture": picture,
        "filters": [{**picture, "file": "pictures/filter-7.png", "filter": 7, "share": 0.25, "contribution": 1.0}],
        "folder": None,
    }


def test_without_a_folder_it_says_so_and_nothing_is_taken_for_html(facts):
    seen = Checked(page(facts))
    assert "no folder was given" in seen.text
    assert NASTY in seen.text
    assert seen.pictures == ["pictures/class.png", "pictures/filter-7.png"]


def test_with_a_folder_it_shows_what_is_near_and_what_it_is(facts):
    real = {"file": "pictures/a b#1.png", "name": NASTY, "score": 1.0, "probability": 0.125, "similarity": 0.75}
    real["called"] = {"number": 2, "label": NASTY, "probability": 0.5}
    own = {**real, "called": {**real["called"], "number": 1}}
    facts["folder"] = {
        "folder": NASTY,
        "pictures": 1234,
        "damaged": [NASTY],
        "features": NASTY,
        "nearest": [real, own],
        "highest": [own],
        "classes": [
            {"number": 2, "label": NASTY, "nearest": 1, "share_of_nearest": 0.5, "share_of_folder": 0.125},
        ],
    }
    for entry in (facts["picture"], *facts["picture"]["excites"]):
        entry["highest_in_folder"] = 2.5
    facts["note"] = NASTY
    seen = Checked(page(facts))
    assert "a%20b%231.png" in seen.pictures[-1]
    for part in ("1,234", "0.750", "12.5%", "50%", "cannot be decoded", f"calls 1 of 2 {NASTY}"):
        assert part in seen.text
