import re
from html.parser import HTMLParser

import pytest
from made_up import NASTY

from genviz.reports.class_page import page

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


def test_without_a_folder_it_says_so_and_nothing_is_taken_for_html(facts):
    seen = Checked(page(facts))
    assert "no folder was given" in seen.text
    assert NASTY in seen.text
    assert seen.pictures == ["pictures/class.png", "pictures/filter-7.png"]


def test_with_a_folder_it_shows_what_is_near_and_what_it_is(facts_with_folder):
    seen = Checked(page(facts_with_folder))
    assert "a%20b%231.png" in seen.pictures[-1]
    for part in ("1,234", "0.750", "12.5%", "50%", "cannot be decoded", f"calls 1 of 2 {NASTY}"):
        assert part in seen.text


@pytest.mark.parametrize(("rank", "places"), [(1, [1, 2, 3]), (2, [1, 2, 3]), (3, [1, 2, 3]), (202, [1, 2, 202])])
def test_the_classes_are_in_the_order_of_their_ranks(facts, rank, places):
    others = [{"number": number, "label": f"other{number}", "score": 9.0, "probability": 0.1} for number in (7, 8)]
    facts["picture"] |= {"label": "own", "rank": rank, "excites": others}
    table = page(facts).partition("<table>")[2].partition("</table>")[0]
    cells = re.findall("<td>(.*?)</td>", table)
    assert [int(place) for place in cells[1::4]] == places
    assert cells[::4].index("own (1)") == min(rank, 3) - 1
