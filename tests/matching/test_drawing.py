import numpy as np
import pytest
from drawn_blocks import blocks
from PIL import Image

from genviz.matching.consensus import Matched, unmatched
from genviz.matching.drawing import write_bars, write_matches
from genviz.matching.traced import Traced

NAMES = [f"below/a-picture-with-a-long-name-{number}.png" for number in range(13)]
THUMBNAILS = {name: np.full((20, 20, 3), 100 + number, np.uint8) for number, name in enumerate(NAMES)}


def found(images=3, pictures=13, unit="inliers"):
    scores = np.random.default_rng(0).random((images, pictures))
    noise = np.random.default_rng(1).random((4, images, pictures)) / pictures
    levels = {"other pictures": np.array([0.02, 0.03]), "their noise": np.array([0.01])}
    return Traced("sift", unit, ["a"] * images, NAMES[:pictures], scores, levels, noise, 0.5, 0.5, [])


def test_the_eleven_highest_have_bars_and_thumbnails(tmp_path):
    traced = found()
    write_bars(tmp_path / "bars.png", traced, THUMBNAILS)
    pixels = np.asarray(Image.open(tmp_path / "bars.png").convert("RGB"))
    assert (pixels[0, 0] == 255).all()
    shown = {tuple(colour) for colour in pixels.reshape(-1, 3)}
    assert {(100 + number,) * 3 for number in traced.ranked()[:11]} <= shown
    blue = (pixels == (0x2F, 0x5F, 0xB3)).all(2)
    heights = [run for run in np.diff(np.flatnonzero(np.diff(np.pad(blue.any(0), 1).astype(int))))[::2] if run > 5]
    assert len(heights) == 11


@pytest.mark.parametrize("unit", ["inliers", "cosine"])
def test_one_image_and_two_pictures(tmp_path, unit):
    write_bars(tmp_path / "bars.png", found(1, 2, unit), THUMBNAILS, 5)
    assert Image.open(tmp_path / "bars.png").width > 500
    assert not list(tmp_path.glob(".*"))


def test_matches_are_lines_between_two_pictures(tmp_path):
    one, other = blocks(0, 64), blocks(1, 64)
    places = np.random.default_rng(0).uniform(5, 60, (50, 2))
    pairs = [("a", one, "b.png", other, each) for each in (Matched(places, places, None, 60), unmatched(60))]
    write_matches(tmp_path / "two.png", "sift", pairs, 64)
    for name, pair in zip(("matches", "none"), pairs, strict=True):
        write_matches(tmp_path / f"{name}.png", "sift", [pair], 64)
    drawn, none, two = (
        np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)
        for name in ("matches", "none", "two")
    )
    assert two.shape[1] > 2 * none.shape[1] * 0.9
    assert drawn.shape == none.shape
    changed = (np.abs(drawn - none) > 20).any(2)[60:]  # below the title, which differs, too
    assert changed.mean() > 0.05
    assert changed.any(0)[60:-60].all()  # and they go all the way from one to the other


def test_names_are_no_formulas(tmp_path):
    """Matplotlib takes what is between two dollars for one, and fails."""
    odd = "$a_{$.png"
    traced = found(1, 2)._replace(images=[odd], pictures=[odd, "$\\frac$.png"])
    write_bars(tmp_path / "bars.png", traced, dict.fromkeys(traced.pictures, THUMBNAILS[NAMES[0]]))
    write_matches(tmp_path / "matches.png", "sift", [(odd, blocks(0, 64), odd, blocks(1, 64), unmatched(3))], 64)
    assert Image.open(tmp_path / "matches.png").width > 500
