import numpy as np
import pytest
from drawn_blocks import blocks, cropped_and_turned

from genviz.errors import UserError
from genviz.matching import harris, sift
from genviz.matching.comparers import grey
from genviz.matching.contributions import Contributions, contributions, shares, word_scores

PICTURES = [blocks(seed, 100) for seed in range(4)]
IMAGES = [cropped_and_turned(PICTURES[2]), blocks(9, 32)]
WHITE = np.full((100, 100, 3), 255, np.uint8)


@pytest.mark.parametrize(("method", "module"), [("harris", harris), ("sift", sift)])
def test_each_pair_has_its_inliers(method, module):
    found = contributions(IMAGES, PICTURES, method, size=64)
    points = [[module.find(grey(picture, 64)) for picture in some] for some in (IMAGES, PICTURES)]
    expected = [[module.match(one, other).inliers for other in points[1]] for one in points[0]]
    assert found.inliers.tolist() == expected
    assert found.inliers.dtype.kind == "i"
    assert found.ranked()[0] == 2
    alone = contributions(IMAGES[1:], PICTURES[1:3], method, size=64)
    assert alone.inliers.tolist() == found.inliers[1:, 1:3].tolist()


def test_shares_their_mean_and_deviation():
    found = Contributions(np.array([[3, 1, 0], [2, 2, 4], [0, 0, 0]]))
    assert found.shares.tolist() == [[0.75, 0.25, 0], [0.25, 0.25, 0.5], [0, 0, 0]]
    assert found.mean == pytest.approx([1 / 3, 1 / 6, 1 / 6])
    assert found.sd[0] == pytest.approx(np.std([0.75, 0.25, 0]))
    assert found.ranked() == [0, 1, 2]
    assert shares(np.array([[5]]), found.inliers[:1]).tolist() == [[1.25]]


def test_the_preset_is_a_hundred_pixels_and_not_mutual():
    found = contributions(IMAGES[:1], PICTURES[:2], "harris")
    same = contributions(IMAGES[:1], PICTURES[:2], "harris", size=100, residual=2.0, tries=100, mutual=False)
    assert (found.inliers == same.inliers).all()
    assert (found.inliers > contributions(IMAGES[:1], PICTURES[:2], "harris", mutual=True).inliers).any()


def test_what_has_no_corners_has_no_inliers():
    found = contributions([*IMAGES[:1], WHITE], [WHITE, *PICTURES[:2]], "sift")
    assert found.inliers[:, 0].tolist() == [0, 0]
    assert found.inliers[1].tolist() == [0, 0, 0]
    assert found.inliers[0, 1:].all()


@pytest.mark.parametrize(
    ("images", "pictures", "method", "says"),
    [
        (IMAGES, PICTURES, "surf", "method=surf is unknown; choose harris or sift"),
        ([WHITE], PICTURES, "sift", "none of the 1 images has enough key points"),
        (IMAGES, [WHITE, WHITE], "harris", "none of the 2 pictures has enough key points"),
        (IMAGES, [], "harris", "none of the 0 pictures"),
    ],
)
def test_what_cannot_be_matched_is_said(images, pictures, method, says):
    with pytest.raises(UserError, match=says):
        contributions(images, pictures, method)


def test_word_scores_find_the_picture_itself():
    found = word_scores([PICTURES[2], WHITE], PICTURES, words=20, size=64)
    assert found.shape == (2, 4)
    assert found[0, 2] == pytest.approx(1)
    assert found[0].argmax() == 2
    theirs = word_scores([PICTURES[1]], PICTURES, standardize="words", smooth=False, size=64)
    assert theirs[0, 1] == pytest.approx(1)


def test_word_scores_need_descriptors():
    with pytest.raises(UserError, match="fewer than 10 words"):
        word_scores(IMAGES, [WHITE, WHITE])
