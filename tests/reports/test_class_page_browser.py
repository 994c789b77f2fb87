"""The report on a class in a real browser, from file://, with the worst of names."""

from urllib.parse import unquote

import pytest
from chromium import PROGRAM, Chromium
from PIL import Image

from genviz.reports.class_page import page

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def report(facts_with_folder, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page(facts_with_folder), encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    for name in ("class.png", "filter-7.png", "a b#1.png"):
        Image.new("RGB", (64, 48), "red").save(tmp_path / "pictures" / name)
    return path.as_uri()


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_the_window_and_shows_its_pictures(chromium, report, width):
    chromium.open(report, width)
    assert chromium.see("document.documentElement.scrollWidth <= innerWidth")
    shown = chromium.see("[...document.images].map((image) => [image.getAttribute('src'), image.naturalWidth])")
    assert [unquote(source) for source, _ in shown][-1] == "pictures/a b#1.png"
    assert [wide for _, wide in shown] == [64] * 5
    assert chromium.see("document.scripts.length") == 0
    assert chromium.complaints == []


def test_it_is_light_or_dark_as_the_system_is(chromium, report):
    def brightness(scheme):
        chromium("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        chromium.open(report)
        return chromium.see("Number(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")

    assert brightness("light") > 200
    assert brightness("dark") < 50
