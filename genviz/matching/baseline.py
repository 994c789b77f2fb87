"""What a contribution has to exceed: noise with a picture's spectrum, and pictures of another class.

Two null hypotheses say that the picture that is most alike stands out by chance alone. What stands out is measured, for
scores S of images k and pictures m, by T = max_m mean_k S - mean_mk S.

- *Any picture*: to each image, the pictures are exchangeable: which of them has which of its scores is arbitrary, and
  independent between images. `p_any` shuffles each image's scores among the pictures. It needs several images. It is
  false already if one picture has more corners than others, and so more matches with anything.
- *Any image*: an image is exchangeable with noise that has its spectrum, in each colour, but random phases: it has the
  contrast and the correlations of the image, and no shape. `p_noise` compares T with that of such noise, with the
  same pictures; the scores of an image with too little to compare are 0, as those of such noise. A picture that has
  more matches with anything has them with this noise, too, so it holds of such ones.

Only where both are unlikely does the image resemble one picture rather than others. Both p-values are
(1 + those at least as extreme) / (1 + all), so that under its hypothesis each is at most p with a probability of at
most p (Phipson & Smyth 2010). Ties raise p. So does clipping: noise of an image of full contrast leaves 0 to 255 here
and there, and is cut off, which changes its spectrum a little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_AT_ONCE = 2**22  # shuffled scores
_ROUNDING = 1e-12


def phase_randomized(picture: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
    """Noise with the spectrum of ``picture``, RGB bytes (h, w, 3), and its mean and deviation in each colour.

    The colours are turned by the same phases, so that they stay as correlated as they were (Prichard & Theiler 1994).
    Values beyond 0 and 255 are clipped.
    """
    values = np.asarray(picture, float)
    white = np.random.default_rng(seed).standard_normal(values.shape[:2])
    phases = np.angle(np.fft.rfft2(white))  # those of a real picture
    phases[0, 0] = 0  # keeps the mean
    spectrum = np.fft.rfft2(values, axes=(0, 1))
    noise = np.fft.irfft2(spectrum * np.exp(1j * phases)[:, :, None], s=values.shape[:2], axes=(0, 1))
    return noise.round().clip(0, 255).astype(np.uint8)


def stands_out(scores: np.ndarray) -> np.ndarray:
    """By how much the picture that is most alike exceeds the others: of scores (..., images, pictures), (...)."""
    means = scores.mean(-2)
    return means.max(-1) - means.mean(-1)


def p_any(scores: np.ndarray, seed: int = 0, times: int = 9999) -> float | None:
    """How probable it is that a picture stands out so far if it is arbitrary which has which score.

    Args:
        scores: (images, pictures).
        times: how often they are shuffled.

    Returns:
        None for a single image, whose highest score is the highest however it is shuffled.
    """
    if len(scores) < 2:
        return None
    draw, own, extreme, left = np.random.default_rng(seed), stands_out(scores), 0, times
    while left:
        some = min(left, max(1, _AT_ONCE // scores.size))
        shuffled = draw.permuted(np.broadcast_to(scores, (some, *scores.shape)), axis=2)
        extreme += int((stands_out(shuffled) >= own - _ROUNDING).sum())
        left -= some
    return (1 + extreme) / (1 + times)


def p_noise(scores: np.ndarray, of_noise: np.ndarray) -> float | None:
    """How probable it is that a picture stands out so far if the images are noise.

    Args:
        scores: (images, pictures).
        of_noise: those of noise in place of the images, (times, images, pictures).

    Returns:
        1 / (times + 1) at least; None without noise.
    """
    if not len(of_noise):
        return None
    extreme = int((stands_out(of_noise) >= stands_out(scores) - _ROUNDING).sum())
    return (1 + extreme) / (1 + len(of_noise))
