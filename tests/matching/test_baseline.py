import numpy as np
import pytest
from drawn_blocks import blocks
from scipy.stats import kstest, permutation_test

from genviz.matching.baseline import p_any, p_noise, phase_randomized, stands_out


def power(picture):
    return abs(np.fft.fft2(picture.astype(float), axes=(0, 1))) ** 2


@pytest.mark.parametrize("size", [64, 65])
def test_noise_has_the_spectrum_and_not_the_shape(size):
    picture = (blocks(0, size) // 4 + 96).astype(np.uint8)  # so that nothing is clipped
    noise = phase_randomized(picture, 0)
    assert noise.shape == picture.shape
    strong = power(picture) > 3e6  # rounding to bytes leaves these as they are
    assert strong.sum() > 300
    assert np.allclose(power(noise)[strong], power(picture)[strong], rtol=0.1)
    assert np.allclose(noise.mean((0, 1)), picture.mean((0, 1)), atol=0.1)
    assert np.allclose(np.cov(noise.reshape(-1, 3).T), np.cov(picture.reshape(-1, 3).T), rtol=0.05, atol=2)
    assert abs(np.corrcoef(noise[..., 0].ravel(), picture[..., 0].ravel())[0, 1]) < 0.5
    assert (phase_randomized(picture, 0) == noise).all()
    assert (phase_randomized(picture, 1) != noise).mean() > 0.5


def test_what_stands_out():
    scores = np.array([[1.0, 2.0, 6.0], [3.0, 2.0, 4.0]])  # means 2, 2, 5
    assert stands_out(scores) == 2
    assert (stands_out(np.stack((scores, 2 * scores))) == [2, 4]).all()


def test_p_any_is_uniform_if_pictures_are_exchangeable():
    draw = np.random.default_rng(0)
    found = [p_any(draw.dirichlet(np.ones(10), 5), seed, 199) for seed in range(300)]
    assert kstest(np.array(found) - draw.random(300) / 200, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(found) <= 0.05) < 0.09


def test_p_any_is_small_if_one_picture_is_in_every_image_and_large_if_another_in_each():
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.full(10, 20.0), 5)
    shares[:, 3] += 0.2
    assert p_any(shares, times=999) == 1 / 1000
    assert p_any(np.eye(10)[:5] + 1, times=999) > 0.5
    assert p_any(shares[:1]) is None


def test_p_any_is_that_of_every_shuffle():
    """Of two images and three pictures, there are six: scipy makes all of them."""
    scores = np.array([[0.2, 0.3, 0.5], [0.1, 0.7, 0.2]])

    def statistic(first, second, axis):
        return np.max((first + second) / 2, axis=axis)

    exact = permutation_test(
        tuple(scores), statistic, permutation_type="pairings", alternative="greater", n_resamples=1e6
    )
    assert p_any(scores, times=20_000) == pytest.approx(exact.pvalue, abs=0.02)


def test_p_noise_is_uniform_if_images_are_noise():
    draw = np.random.default_rng(1)
    rich = np.linspace(1, 5, 8)  # pictures with more and more corners
    found = []
    for _ in range(400):
        scores = draw.poisson(rich, (20, 12, 8)).astype(float)
        found.append(p_noise(scores[0], scores[1:]))
    assert kstest(np.array(found) - draw.random(400) / 20, "uniform").pvalue > 0.01
    assert p_any(scores[0], times=999) < 0.05  # which they are not exchangeable for


def test_p_noise_is_a_rank():
    scores, noise = np.eye(4), np.zeros((9, 4, 4))
    noise[:3] = 2 * np.eye(4)[[0, 0, 0, 0]]
    assert p_noise(np.eye(4)[[0, 0, 0, 1]], noise) == 4 / 10
    assert p_noise(scores, noise[3:]) == 7 / 7  # all means are alike, as those of these
    assert p_noise(scores, noise[:0]) is None
