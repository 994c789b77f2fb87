"""The page in a real browser, from file://, with a thousand targets, one of them with the worst of names."""

import time
from urllib.parse import quote

import pytest
import torch
from chromium import PROGRAM, Chromium
from made_up import NASTY, make_run
from PIL import Image

from genviz.images.video import Video
from genviz.reports.review import write_review

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")

NAME = " ".join(NASTY.split())
ZEBRA = [f"embedded/{setting}/class-zebra/final.png" for setting in ("pretrained", "untrained")]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("outputs")
    for number in range(999):
        rank = 1 + number % 7
        verdict = "recognised" if rank == 1 else "top five" if rank < 6 else "not reached"
        changes = {"activation": number / 10, "rank": rank, "verdict": verdict}
        make_run(root, f"filter:relu1:{number}", setting="embedded/untrained", bare=True, **changes)
    nasty = {"folder": "class-#1 %20?&'\"<b>ä", "setting": "embedded/un%tr#ained", "top_classes": [{"label": NASTY}]}
    make_run(root, NASTY, explanation=NASTY, **nasty)
    make_run(root, "class:zebra", setting="embedded/untrained", activation=-5.0, verdict="dead", rank=900)
    folder = make_run(root, "class:zebra", setting="embedded/pretrained", colour="blue", activation=float("nan"))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("weights: default", f"weights: other{' and longer' * 20}"))
    photos = tmp_path_factory.mktemp("photos")
    Image.new("RGB", (60, 40), "green").save(photos / "zebra.jpg")
    return write_review(root, photos).as_uri()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium, page):
    """The page, just loaded; it has nothing to complain of in the end either."""
    chromium.open(page)
    yield chromium
    assert chromium.complaints == []


def texts(selector):
    return f"[...document.querySelectorAll({selector!r})].map((element) => element.textContent.trim())"


def sources(selector):
    return f"[...document.querySelectorAll({selector!r})].map((element) => decodeURI(element.getAttribute('src')))"


def click(browser, selector, text=""):
    browser.see(
        f"[...document.querySelectorAll({selector!r})].find((one) => one.textContent.startsWith({text!r})).click()"
    )


def pick(browser, selector, value, event="input"):
    browser.see(
        f"""{{ const element = document.querySelector({selector!r}); element.value = {value!r};
        element.dispatchEvent(new Event({event!r})) }}"""
    )


def names(browser, count=None):
    return browser.see(texts("#grid .name"))[:count]


def count(browser):
    return browser.see("document.querySelector('#count').textContent")


def loaded(selector):
    """That there are such pictures, and each is a picture."""
    return f"""((images) => images.length && images.every((image) => image.complete && image.naturalWidth))
        ([...document.querySelectorAll({selector!r})])"""


def test_a_thousand_targets_are_there_at_once_and_made_as_they_are_needed(browser, page):
    begun = time.monotonic()
    browser.open(page)
    browser.wait(loaded("#grid li:first-child img"))
    assert time.monotonic() - begun < 5
    assert count(browser) == "1,001 of 1,001 targets"
    cards = len(names(browser))
    assert cards < 200
    assert names(browser, 1) == ["class:zebra"]
    browser.see("scrollTo(0, document.body.scrollHeight)")
    browser.wait(f"document.querySelectorAll('#grid li').length > {cards}")


def test_search(browser):
    browser.press("/")
    browser.write("99 RELU1")
    nineties = [number for number in range(999) if "99" in str(number)]
    assert names(browser) == [f"filter:relu1:{number}" for number in nineties]
    for words, found in (("☃ 20x", [NAME]), ("lu1/998", ["filter:relu1:998"]), ("no such thing", [])):
        pick(browser, "#search", words)
        assert names(browser) == found
    assert count(browser) == "0 of 1,001 targets"
    pick(browser, "#search", "340")  # the zebra's number
    assert "class:zebra" in names(browser)


def test_filter(browser):
    click(browser, "#verdicts button", "top five")
    assert count(browser) == "572 of 1,001 targets"
    click(browser, "#verdicts button", "recognised")
    assert count(browser) == "717 of 1,001 targets"
    click(browser, "#verdicts button", "top five")
    click(browser, "#verdicts button", "recognised")
    assert count(browser) == "1,001 of 1,001 targets"
    click(browser, "#settings button", "untrained")
    assert count(browser) == "2 of 1,001 targets"


def test_sort(browser):
    click(browser, "#settings button", "pretrained")
    pick(browser, "#sort", "activation", "change")
    assert names(browser, 2) == ["filter:relu1:998", "filter:relu1:997"]
    click(browser, "#reverse")
    assert names(browser, 2) == ["class:zebra", "filter:relu1:0"]
    pick(browser, "#sort", "rank", "change")
    assert names(browser, 1) == ["class:zebra"]
    click(browser, "#reverse")
    assert names(browser, 2) == [NAME, "filter:relu1:0"]
    pick(browser, "#sort", "name", "change")
    assert names(browser, 4)[1:] == ["class:zebra", "filter:relu1:0", "filter:relu1:1"]


def test_settings_and_a_real_picture_side_by_side(browser):
    pick(browser, "#search", "zebra")
    assert browser.see(sources("#grid img")) == [*ZEBRA, "real/class-zebra.jpg"]
    click(browser, "#settings button", "real")
    assert browser.see(sources("#grid img")) == ZEBRA
    click(browser, "#settings button", "pretrained")
    assert browser.see(sources("#grid img")) == ZEBRA[1:]


def test_a_target_alone(browser):
    pick(browser, "#search", "zebra")
    browser.see("document.querySelector('#grid a').focus()")
    browser.press("Enter")
    browser.wait("document.querySelector('#detail').open")
    browser.wait(loaded("#columns .large img"))
    assert browser.see(sources("#columns .large img")) == [*ZEBRA, "real/class-zebra.jpg"]
    assert browser.see(texts("#columns h3")) == ["pretrained", "untrained", "real picture"]
    [words] = browser.see(texts("#columns"))
    said = ("recognised", "dead", "900 of 1,000", "harmonica (593)", "75.00%", "0.125", "ab" * 32, "score", "7.25")
    assert [word for word in said if word not in words] == []
    assert browser.see(texts("#columns .differs")) == [f"weights: other{' and longer' * 20}", "weights: default"]
    assert browser.see("document.querySelectorAll('#columns polyline').length") == 2
    browser.press("Escape")
    browser.wait("!document.querySelector('#detail').open && location.hash === '#/'")
    assert browser.see("document.activeElement === document.querySelector('#grid a')")


def test_the_slider_shows_the_evolution(browser, page):
    browser.open(f"{page}#/class%3Azebra")
    browser.wait(loaded("#columns .large img"))
    first = "embedded/pretrained/class-zebra"
    browser.see("document.querySelector('#columns input').focus()")
    for key, file, told in (
        ("ArrowLeft", "snapshots/00050.png", "update 50"),
        ("ArrowLeft", "snapshots/00025.png", "update 25"),
        ("ArrowRight", "snapshots/00050.png", "update 50"),
        ("ArrowRight", "final.png", "final"),
    ):
        browser.press(key)
        browser.wait(f"document.querySelector('#columns output').textContent === {told!r}")
        browser.wait(loaded("#columns .large img"))
        assert browser.see(sources("#columns .large img"))[:2] == [f"{first}/{file}", ZEBRA[1]]
    assert browser.see("document.querySelector('#name').textContent") == "class:zebra"  # the arrows were the slider's


def test_from_target_to_target_by_the_arrows(browser):
    pick(browser, "#search", "relu1 5")
    click(browser, "#grid a")
    named = "document.querySelector('#name').textContent"
    browser.wait(f"{named} === 'filter:relu1:5'")
    assert browser.see("document.querySelector('#before').disabled")
    for key, number in (("ArrowRight", 15), ("ArrowRight", 25), ("ArrowLeft", 15)):
        browser.press(key)
        browser.wait(f"{named} === 'filter:relu1:{number}'")
    browser.see("history.back()")
    browser.wait("!document.querySelector('#detail').open")


def test_a_name_is_only_text(browser, page):
    browser.open(f"{page}#/{quote(NAME, safe='')}")
    browser.wait(loaded("#columns .large img"))
    assert browser.see(texts("#name, #columns td:first-child")) == [NAME, f"{NAME} (–)"]
    assert browser.see("document.querySelectorAll('#columns script, #columns b, #grid script, #grid b').length") == 0
    path = browser.see("new URL(document.querySelector('#columns .links a').href).pathname")
    assert path.endswith(quote("un%tr#ained/class-#1 %20?&'\"<b>ä/result.json", safe="/"))


def test_the_video_plays(chromium, tmp_path):
    folder = make_run(tmp_path, "layer:x", size=(32, 32))
    video = Video(folder / "evolution.mp4", 32, 32)
    for _ in range(5):
        video.add(torch.zeros(32, 32, 3, dtype=torch.uint8))
    video.close()
    chromium.open(f"{write_review(tmp_path).as_uri()}#/layer%3Ax")
    click(chromium, ".evolution button")
    chromium.wait("document.querySelector('video').readyState > 1 || document.querySelector('video').error")
    if chromium.see("document.querySelector('video').error?.code") == 4:
        pytest.skip("this Chromium has no H.264")
    assert chromium.see("document.querySelector('video').videoWidth") == 32


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("address", ["", "#/class%3Azebra"])
def test_nothing_is_wider_than_the_window(browser, page, width, address):
    browser.open(page + address, width)
    browser.wait(loaded("#grid li:first-child img"))
    browser.see("document.querySelectorAll('details').forEach((one) => one.open = true)")
    for selector in ("html", "#detail", "section"):
        wide = f"[...document.querySelectorAll('{selector}')].filter((one) => one.scrollWidth > one.clientWidth + 1)"
        assert browser.see(f"{wide}.length") == 0, selector
