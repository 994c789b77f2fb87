"""The map in a real browser, from file://, with the worst of names; and with ten thousand pictures."""

import base64
import io
import statistics
import time
from pathlib import Path

import numpy as np
import pytest
from chromium import PROGRAM, Chromium
from made_up import NASTY
from PIL import Image

from genviz.reports.map_page import Mapped, write_map_page
from genviz.retrieval.plane import cells

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")
NAME = " ".join(NASTY.split())


def written(folder: Path, count: int, side: int, names: dict[int, str]) -> str:
    """A page of pictures in a square of ``side`` by ``side`` places, of four colours, and its address."""
    square = int(count**0.5)
    places = np.array([(number % square, number // square) for number in range(count)]) / max(square - 1, 1)
    colours = np.array([(220, 30, 30), (30, 200, 30), (30, 30, 220), (200, 200, 30)], np.uint8)
    small = np.broadcast_to(colours[np.arange(count) % 4][:, None, None], (count, side, side, 3))
    called = [names.get(number, f"{number}.png") for number in range(count)]
    groups = [NASTY if number % 3 == 0 else f"group {number % 3}" for number in range(count)]
    paths = [folder / f"pictures/{number}.png" for number in range(count)]
    mapped = Mapped(paths, called, places, cells(places), groups, groups, {count - 1: NASTY})
    about = {"source": NASTY, "layer": NASTY, "classifier": NASTY, "told": NASTY, "note": NASTY}
    write_map_page(folder / "map.html", mapped, small, about)
    return (folder / "map.html").as_uri()


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    (folder / "pictures").mkdir()
    for number in range(16):
        if number != 6:  # gone
            Image.new("RGB", (300, 200), "purple").save(folder / f"pictures/{number}.png")
    return written(folder, 16, 16, {5: NASTY})


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, page):
    opened(chromium, page)
    yield chromium
    assert chromium.complaints == []


def opened(browser, page, width=1400):
    browser.open(page, width)
    browser.wait("document.body.dataset.ready !== undefined")
    settled(browser)


def settled(browser):
    browser.wait("!asked && !stale && back.next >= count")


def place(browser, index):
    """Where a picture is on the screen."""
    return browser.see(
        f"""(() => {{ const box = plane.getBoundingClientRect();
        return [box.left + (state.layout.x[{index}] - view.x) * view.scale + plane.clientWidth / 2,
                box.top + (state.layout.y[{index}] - view.y) * view.scale + plane.clientHeight / 2] }})()"""
    )


def colour(browser, index):
    """The colour in the middle of a picture."""
    seen = base64.b64decode(browser("Page.captureScreenshot", format="png")["data"])
    return Image.open(io.BytesIO(seen)).convert("RGB").getpixel([round(value) for value in place(browser, index)])


def mouse(browser, kind, x, y, **more):
    browser("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)


def click(browser, x, y):
    mouse(browser, "mouseMoved", x, y)
    for kind in ("mousePressed", "mouseReleased"):
        mouse(browser, kind, x, y, button="left", clickCount=1)


def near(found, wanted):
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 30


@pytest.mark.parametrize("layout", ["map", "grid"])
def test_each_picture_is_at_its_place(browser, layout):
    browser.see(f"document.querySelector('[value={layout}]').click()")
    settled(browser)
    for index, wanted in ((0, (220, 30, 30)), (1, (30, 200, 30)), (14, (30, 30, 220)), (15, (200, 200, 30))):
        assert near(colour(browser, index), wanted), index


def test_the_wheel_zooms_where_the_pointer_is_and_a_drag_moves(browser):
    x, y = place(browser, 5)
    before = browser.see("view.scale")
    mouse(browser, "mouseWheel", x, y, deltaX=0, deltaY=-300)
    browser.wait(f"view.scale > {before} * 1.3")
    assert place(browser, 5) == pytest.approx([x, y], abs=1)
    mouse(browser, "mousePressed", x, y, button="left", clickCount=1)
    mouse(browser, "mouseMoved", x + 90, y + 40, button="left", buttons=1)
    mouse(browser, "mouseReleased", x + 90, y + 40, button="left", clickCount=1)
    assert place(browser, 5) == pytest.approx([x + 90, y + 40], abs=1)
    assert not browser.see("at('detail').open")
    browser.see("at('whole').click()")
    assert browser.see("view.scale") == pytest.approx(before)


def test_the_keys_move_and_zoom(browser):
    before = browser.see("[view.scale, view.x]")
    browser.see("plane.focus()")
    browser.press("+")
    browser.press("ArrowRight")
    after = browser.see("[view.scale, view.x]")
    assert after[0] > before[0]
    assert after[1] > before[1]
    browser.press("0")
    assert browser.see("[view.scale, view.x]") == pytest.approx(before)


def test_under_the_pointer_is_its_name_as_it_is(browser):
    mouse(browser, "mouseMoved", *place(browser, 5))
    browser.wait("!at('peek').hidden")
    said = browser.see("at('peek').innerText")
    assert NAME in " ".join(said.split())
    assert "predicted: group 2" in said
    mouse(browser, "mouseMoved", 700, 890)
    browser.wait("at('peek').hidden")


def test_a_click_shows_the_picture_large(browser):
    click(browser, *place(browser, 5))
    browser.wait("document.querySelector('#picture img')?.naturalWidth === 300")
    assert browser.see("document.querySelector('#picture img').getBoundingClientRect().width") >= 300
    assert browser.see("at('name').textContent") == NASTY
    browser.press("Escape")
    assert not browser.see("at('detail').open")


def test_where_the_picture_is_gone_its_thumbnail_is_shown(chromium, page):
    opened(chromium, page)
    click(chromium, *place(chromium, 6))
    chromium.wait("at('detail').open")
    chromium.wait("document.querySelector('#picture canvas').getBoundingClientRect().width >= 300")
    assert [line for line in chromium.complaints if "pictures/6.png" not in line] == []


def test_colours_are_those_of_the_legend_and_one_group_can_be_left(browser):
    browser.see("at('colours').value = 'folder'; at('colours').dispatchEvent(new Event('change'))")
    settled(browser)
    chips = browser.see("[...document.querySelectorAll('#legend button')].map((chip) => chip.textContent)")
    assert [" ".join(chip.split()) for chip in chips] == [f"{NAME} 6", "group 1 5", "group 2 5"]
    before = colour(browser, 0)
    browser.see("[...document.querySelectorAll('#legend button')][1].click()")
    settled(browser)
    assert near(colour(browser, 1), (30, 200, 30))
    assert not near(colour(browser, 0), before)  # faint
    browser.see("at('colours').value = 'none'; at('colours').dispatchEvent(new Event('change'))")
    settled(browser)
    assert browser.see("at('legend').children.length") == 0
    assert near(colour(browser, 0), (220, 30, 30))


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_it_fits_the_window(chromium, page, width):
    opened(chromium, page, width)
    assert chromium.see("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.see("plane.clientHeight") > 200
    for index in (0, 15):
        x, y = place(chromium, index)
        assert 0 < x < width
        assert 0 < y < 900
    assert chromium.complaints == []


@pytest.mark.slow
def test_no_frame_draws_many_of_ten_thousand_pictures(chromium, tmp_path):
    """By a clock that goes on a millisecond whenever the page looks at it: no frame draws many, and all are drawn."""
    opened(chromium, written(tmp_path, 10_000, 64, {}))
    chromium.see(
        """{ window.drawn = [0]; let now = 0; performance.now = () => now += 1;
        const draw = CanvasRenderingContext2D.prototype.drawImage;
        CanvasRenderingContext2D.prototype.drawImage = function (...given) {
        drawn[drawn.length - 1] += 1; return draw.apply(this, given) };
        requestAnimationFrame(function tick() { drawn.push(0); requestAnimationFrame(tick) }) }"""
    )
    for number in range(100):
        mouse(chromium, "mouseWheel", 700, 400, deltaX=0, deltaY=-30 if number < 50 else 30)
    settled(chromium)
    drawn = chromium.see("drawn")
    assert sum(drawn) > 10_000
    assert max(drawn) < 400
    assert chromium.complaints == []


@pytest.mark.slow
def test_ten_thousand_pictures_move_without_a_stutter(chromium, tmp_path):
    """Whatever else this machine does: half of the frames in time, and none of them long."""
    opened(chromium, written(tmp_path, 10_000, 64, {}))
    chromium.see(
        """{ window.gaps = []; let last = 0;
        requestAnimationFrame(function tick(now) { if (last) gaps.push(now - last); last = now;
        requestAnimationFrame(tick) }) }"""
    )
    for number in range(100):
        mouse(chromium, "mouseWheel", 700, 400, deltaX=0, deltaY=-30 if number < 50 else 30)
        time.sleep(0.01)
    gaps = chromium.see("gaps")
    assert statistics.median(gaps) < 20
    assert sum(gap > 100 for gap in gaps) < len(gaps) / 20
    settled(chromium)
    assert chromium.complaints == []
