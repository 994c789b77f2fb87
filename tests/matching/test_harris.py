import numpy as np
import pytest
from drawn_blocks import blocks
from skimage.color import rgb2gray
from skimage.transform import AffineTransform, warp
from skimage.util import random_noise

from genviz.matching import harris
from genviz.matching.harris import Corners, match


@pytest.fixture(scope="module")
def grey():
    return rgb2gray(blocks(3, 200))


@pytest.mark.parametrize(("degrees", "scale"), [(0, 1.0), (3, 1.03), (-8, 1.0)])
def test_it_finds_small_turns_and_scales(grey, degrees, scale):
    true = AffineTransform(scale=scale, rotation=np.deg2rad(degrees), translation=(6, -4))
    found = match(harris.find(grey), harris.find(warp(grey, true.inverse, order=3, mode="edge")))
    assert found.transform.scale == pytest.approx((scale, scale), rel=0.02)
    assert np.rad2deg(found.transform.rotation) == pytest.approx(degrees, abs=0.2)
    assert found.transform.translation == pytest.approx((6, -4), abs=1)


def test_it_does_not_find_a_quarter_turn(grey):
    """Windows are not turned with their corners."""
    found = match(harris.find(grey), harris.find(np.rot90(grey)), mutual=True)
    assert found.inliers < found.candidates / 4


def test_a_window_is_weighted_by_a_gaussian_and_repeats_the_edge():
    spot = np.zeros((30, 30))
    spot[2:12, 2:12] = random_noise(np.full((10, 10), 0.5), rng=0)
    found = harris.find(spot)
    assert len(found.places) > 3
    for place, window in zip(found.places.astype(int), found.windows, strict=True):
        total = 0.0
        for row in range(-5, 6):
            for column in range(-5, 6):
                weight = np.exp(-(row**2 + column**2) / 18)
                r, c = np.clip((place[0] + row, place[1] + column), 0, 29)
                total += weight * spot[r, c] ** 2
        weights = sum(np.exp(-(r**2 + c**2) / 18) for r in range(-5, 6) for c in range(-5, 6))
        assert (window**2).sum() == pytest.approx(total / weights)


def test_a_match_is_the_least_weighted_difference():
    windows = np.array([[0.0, 0.0], [1.0, 1.0], [0.4, 0.4]])
    square = np.array([[0.0, 0], [0, 10], [10, 0]])
    ours = Corners(square, windows + 0.01)
    found = match(ours, Corners(square[[2, 0, 1]], windows[[2, 0, 1]]))
    assert (found.inliers, found.candidates) == (3, 3)
    assert np.allclose(found.ours, found.theirs)


def test_mutual_matches_do_not_fall_to_one_corner():
    draw = np.random.default_rng(0)
    ours = Corners(draw.uniform(0, 100, (30, 2)), draw.random((30, 121)) / 10 + 0.5)
    theirs = Corners(draw.uniform(0, 100, (30, 2)), np.linspace(0, 1, 30)[:, None] * np.ones((30, 121)))
    assert match(ours, theirs).inliers > 5
    assert match(ours, theirs, mutual=True).candidates <= 6


@pytest.mark.parametrize("few", [np.ones((50, 50)), np.full((50, 50), 0.3)])
def test_a_picture_without_corners_has_none_and_matches_nothing(grey, few):
    assert len(harris.find(few)) == 0
    assert match(harris.find(few), harris.find(grey)).inliers == match(harris.find(grey), harris.find(few)).inliers == 0
    line = Corners(np.stack((np.arange(9.0), np.arange(9.0)), 1), np.eye(9))
    assert match(line, line).inliers == 0  # on a line, no three say an affine transform
