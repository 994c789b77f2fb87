import numpy as np
import pytest
from drawn_blocks import blocks, cropped_and_turned
from scipy.stats import kstest

from genviz.errors import UserError
from genviz.matching.baseline import p_noise, phase_randomized, stands_out
from genviz.matching.comparers import ByPoints
from genviz.matching.traced import Traced, traced

PICTURES = {f"{seed}.png": blocks(seed, 64) for seed in range(4)}
WHITE = np.full((64, 64, 3), 255, np.uint8)


@pytest.fixture
def comparer():
    return ByPoints("harris", 64, mutual=True)


def test_the_numbers_are_those_of_each_pair(comparer):
    images, others = {"a": cropped_and_turned(PICTURES["2.png"])}, {"x": blocks(7, 64), "y": blocks(8, 64)}
    found = traced(comparer, images, PICTURES, others, noise=2, seed=5)

    def counted(image, picture):
        return comparer.match(*comparer.look([image, picture])).inliers

    counts = [counted(images["a"], picture) for picture in PICTURES.values()]
    assert found.scores.tolist() == [counts]
    assert found.mean.tolist() == [count / sum(counts) for count in counts]
    assert found.ranked()[0] == 2
    level = [counted(images["a"], other) / sum(counts) for other in others.values()]
    assert found.levels["other pictures"] == pytest.approx(level)
    twins = [phase_randomized(picture, (5, 0, number)) for number, picture in enumerate(PICTURES.values())]
    assert found.levels["their noise"] == pytest.approx([counted(images["a"], twin) / sum(counts) for twin in twins])
    noises = [phase_randomized(images["a"], (5, 1, time, 0)) for time in (0, 1)]
    of_noise = np.array([[counted(noise, picture) for picture in PICTURES.values()] for noise in noises])
    assert np.allclose(found.noise[:, 0], of_noise / of_noise.sum(1, keepdims=True))
    assert found.p_noise == pytest.approx(1 / 3)
    assert found.p_any is None


def test_a_contained_picture_is_more_than_chance_and_noise_is_not(comparer):
    inside = {"a": cropped_and_turned(PICTURES["1.png"]), "b": cropped_and_turned(PICTURES["1.png"], 0.9, -5)}
    found = traced(comparer, inside, PICTURES, noise=19)
    assert (found.p_noise, found.p) == (0.05, max(0.05, found.p_any))
    noise = {name: phase_randomized(image, 99) for name, image in inside.items()}
    assert traced(comparer, noise, PICTURES, noise=19).p > 0.05


@pytest.mark.slow
def test_p_is_uniform_if_the_image_is_noise():
    found = {True: [], False: []}
    for seed in range(80):
        faint = (blocks(20 + seed, 64) // 4 + 96).astype(np.uint8)  # whose noise is not clipped
        image = {"a": phase_randomized(faint, (seed, 9))}
        for mutual, ps in found.items():
            ps.append(traced(ByPoints("harris", 64, mutual=mutual), image, PICTURES, noise=9, seed=seed).p)
    assert kstest(np.array(found[False]) - np.random.default_rng(0).random(80) / 10, "uniform").pvalue > 0.01
    assert np.mean(np.array(found[True]) <= 0.1) < 0.2  # with few matches, there are ties, which raise p


def test_the_same_seed_gives_the_same_numbers(comparer):
    images = {"a": blocks(9, 64)}
    first, again, other = (traced(comparer, images, PICTURES, noise=2, seed=seed) for seed in (0, 0, 1))
    assert (first.noise == again.noise).all()
    assert (first.noise != other.noise).any()


def test_what_is_too_plain_is_left_out(comparer):
    images = {"a": WHITE, "b": PICTURES["0.png"]}
    found = traced(comparer, images, {"w": WHITE, **PICTURES}, {"v": WHITE}, noise=0)
    assert (found.images, found.pictures, found.left_out) == (["b"], list(PICTURES), ["a", "w", "v"])
    with pytest.raises(UserError, match="method=harris: a has too little to match"):
        traced(comparer, {"a": WHITE}, PICTURES)
    with pytest.raises(UserError, match="1 of the 2 training pictures"):
        traced(comparer, images, {"w": WHITE, "0": PICTURES["0.png"]})


class Chance:
    """Finds enough to compare in some pictures, and scores them by chance."""

    name, unit = "chance", "cosine"

    def __init__(self, share, seed):
        self.share, self.draw = share, np.random.default_rng(seed)

    def look(self, pictures):
        return [1 if self.draw.random() < self.share else None for _ in pictures]

    def scores(self, ours, theirs):
        return self.draw.random((len(ours), len(theirs)))


@pytest.mark.parametrize("share", [1.0, 0.8, 0.6])
def test_images_with_too_little_to_compare_do_not_make_p_small(share):
    picture = np.zeros((4, 4, 3), np.uint8)
    images = {str(number): picture for number in range(10)}
    ps = [traced(Chance(share, seed), images, images, seen=([1] * 10, []), seed=seed).p_noise for seed in range(200)]
    assert np.mean(np.array(ps) <= 0.05) < 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5


def test_every_given_image_counts_as_its_noise_does(comparer):
    images = {"a": WHITE, "b": cropped_and_turned(PICTURES["1.png"])}
    found, alone = traced(comparer, images, PICTURES, noise=3), traced(comparer, {"b": images["b"]}, PICTURES, noise=3)
    assert (found.images, found.noise.shape) == (["b"], (3, 2, 4))
    assert (found.noise[:, 0] == 0).all()  # noise of white is white
    assert found.mean.tolist() == alone.mean.tolist()
    assert found.p_noise == p_noise(np.stack([np.zeros(4), found.values[0]]), found.noise)
    assert found.chance[0] - found.mean.mean() == pytest.approx(stands_out(found.noise[:, 1:]).mean())


def made(scores, noise=(), unit="inliers", p_any=None, p_noise=None):
    scores, noise = np.array(scores, float), np.array(noise, float).reshape(-1, *np.shape(scores))
    names = [f"d/{number}.png" for number in range(scores.shape[1])]
    return Traced("sift", unit, ["a"] * len(scores), names, scores, {}, noise, p_any, p_noise, [])


def test_the_sentence_says_what_chance_would_do():
    found = made([[8, 1, 1]], [[[0.5, 0.3, 0.2]], [[0.2, 0.6, 0.2]]], p_noise=0.02)
    assert found.chance == pytest.approx((0.55, 0.6))
    told = "the highest, d/0.png, contributes 80.0 % (55.0 % expected by chance, noise up to 60.0 %)"
    assert found.verdict() == f"{told}: p = 0.02, more than chance"
    found = made([[8, 1, 1]], [[[0.5, 0.3, 0.2]], [[0.2, 0.6, 0.2]]], p_any=0.01, p_noise=0.21)
    assert found.verdict() == f"{told}: p = 0.21, not more than chance (0.png stands out as far from noise)"
    assert made([[8, 1, 1]]).verdict().endswith("contributes 80.0 %: not tested; noise=19 compares with noise")
    alone = made([[8, 1, 1], [8, 1, 1]], p_any=0.001).verdict()
    assert alone.endswith("p = 0.001 for arbitrary pictures, which tells little alone; noise=19 compares with noise")


def test_too_few_noises_cannot_tell():
    """Of three, the smallest p-value is a quarter."""
    noise = [[[0.5, 0.3, 0.2]]] * 3
    found = made([[8, 1, 1]], noise, p_noise=0.25)
    assert found.verdict().endswith("p = 0.25, more than all noise, but 3 are too few to tell; noise=19 is enough")
    assert made([[4, 3, 3]], noise, p_noise=0.5).verdict().endswith("p = 0.5, not more than chance")
    assert made([[8, 1, 1]], noise, p_any=0.6, p_noise=0.25).verdict().endswith("p = 0.6, not more than chance")


def test_cosines_stand_out_of_their_mean():
    found = made([[0.9, 0.6]], [[[0.4, 0.2]]], "cosine", p_noise=0.5)
    assert found.chance == pytest.approx((0.85, 0.85))  # 0.1 above the mean
    assert "has a cosine of 0.900 (0.850 expected by chance, noise up to 0.850)" in found.verdict()
