import re

import numpy as np
from made_up import NASTY, data_of

from genviz.reports.map_page import Mapped, write_map_page

ABOUT = {"source": NASTY, "layer": NASTY, "classifier": NASTY, "told": NASTY, "note": NASTY}


def made(tmp_path, count=5, side=16):
    """A page with the worst of names."""
    mapped = Mapped(
        [tmp_path / "photos" / f"a b#{number}'\"&.jpg" for number in range(count)],
        [NASTY, *(f"{number}.jpg" for number in range(1, count))],
        np.random.default_rng(0).random((count, 2)),
        np.array([(number % 3, number // 3) for number in range(count)]),
        [NASTY if number % 2 else "cats" for number in range(count)],
        ["tench"] * (count - 1) + [NASTY],
        {count - 1: NASTY},
    )
    small = np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    page = tmp_path / "out/map.html"
    write_map_page(page, mapped, small, ABOUT)
    return page, mapped


def test_the_page_holds_what_it_is_given(tmp_path):
    page, mapped = made(tmp_path)
    said = data_of(page)
    assert said["names"] == list(mapped.names)
    assert [said["folders"][number] for number in said["folder"]] == list(mapped.folders)
    assert [said["labels"][number] for number in said["called"]] == list(mapped.called)
    assert said["generated"] == [[4, NASTY]]
    assert said["links"][0] == "../photos/a%20b%230%27%22%26.jpg"
    assert said["thumbnails"] == {"side": 16, "across": 128}
    assert len(said["atlases"]) == 1


def test_it_needs_nothing_else_and_lets_nothing_through(tmp_path):
    text = made(tmp_path)[0].read_text(encoding="utf-8")
    assert "<script>fired" not in text
    assert not re.search(r"(src|href)=\"?https?:|@import|url\(", text)
    assert re.findall(r"<link|<script[^>]+src=", text) == []


def test_many_thumbnails_are_several_pictures(tmp_path):
    page, _ = made(tmp_path, count=300, side=128)
    said = data_of(page)
    assert said["thumbnails"] == {"side": 128, "across": 16}
    assert len(said["atlases"]) == 2
