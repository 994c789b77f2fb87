import numpy as np
import pytest
from skimage.measure import ransac
from skimage.transform import AffineTransform, SimilarityTransform

from genviz.matching.consensus import best, fitted, nearest

RNG = np.random.default_rng(0)
PLACES = RNG.uniform(0, 100, (40, 2))
TRUE = np.array([[1.1, 0.2, 5.0], [-0.1, 0.9, -3.0]])  # of (row, column, 1)


@pytest.fixture
def matches():
    theirs = PLACES @ TRUE[:, :2].T + TRUE[:, 2]
    theirs[25:] = RNG.uniform(0, 100, (15, 2))
    return PLACES, theirs


def test_most_inliers_win(matches):
    ours, theirs = matches
    wrong = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    inside = best(np.stack((wrong, TRUE, wrong)), ours, theirs, 2.0)
    assert inside[:25].all()
    pairs = zip(ours, theirs, strict=True)
    assert inside.sum() == sum(np.hypot(*(TRUE[:, :2] @ a + TRUE[:, 2] - b)) < 2 for a, b in pairs)


def test_of_as_many_the_closest_wins(matches):
    ours, theirs = matches
    near, far = TRUE.copy(), TRUE.copy()
    near[0, 2], far[0, 2] = 5.1, 5.9
    close = np.zeros((2, 25), bool)
    for number, order in enumerate(((near, far), (far, near))):
        close[number] = best(np.stack(order), ours[:25], theirs[:25], 2.0)
    assert close.all()
    theirs = theirs.copy()
    theirs[0, 0] += 1.2  # an inlier of far alone, but 1 of near
    assert best(np.stack((near, far)), ours[:25], theirs[:25], 1.15)[0]


def test_scikit_image_finds_the_same_inliers_and_transform(matches):
    ours, theirs = matches
    model, inside = ransac((ours[:, ::-1], theirs[:, ::-1]), AffineTransform, 3, 2.0, max_trials=500, rng=0)
    own = best(TRUE[None], ours, theirs, 2.0)
    assert (own == inside).all()
    fit = fitted("affine", ours[own], theirs[own], 2.0)
    assert np.allclose(fit.params, model.params, atol=0.05)


def test_the_fit_leaves_out_what_is_far():
    true = SimilarityTransform(scale=1.3, rotation=0.4, translation=(3, -2))
    ours = PLACES
    theirs = true(ours[:, ::-1])[:, ::-1].copy()
    theirs[:6] += 8
    fit = fitted("similarity", ours, theirs, 2.0)
    assert fit.scale == pytest.approx(1.3, rel=1e-6)
    assert fit.rotation == pytest.approx(0.4, rel=1e-6)


@pytest.mark.parametrize("places", [PLACES[:1], PLACES[:1].repeat(5, 0)])
def test_too_few_or_one_place_have_no_transform(places):
    assert fitted("similarity", places, places, 2.0) is None


def test_the_nearest_and_those_that_are_it_mutually():
    distances = np.array([[0.1, 0.9], [0.2, 0.3], [0.5, 0.4]])
    assert [side.tolist() for side in nearest(distances, False)] == [[0, 1, 2], [0, 0, 1]]
    assert [side.tolist() for side in nearest(distances, True)] == [[0], [0]]


def test_points_at_one_place_fix_nothing_and_say_nothing(recwarn):
    """Their mean is rounded, so that they are not quite at it."""
    draw = np.random.default_rng(0)
    for _ in range(20):
        ours, theirs = np.tile(draw.uniform(0, 100, 2), (6, 1)), draw.uniform(0, 100, (6, 2))
        fitted("similarity", ours, theirs, 1.0)
    assert not recwarn.list
