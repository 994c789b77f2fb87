"""How much each training picture contributes to generated ones (Réda & Xu, section 3.3, Figure 6 and Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genviz.errors import UserError
from genviz.matching.comparers import SIZE, ByPoints, ByWords, PointMethod
from genviz.matching.words import Standardize


class Contributions:
    """How many key points of each generated picture one transform maps onto each training picture.

    Attributes:
        inliers: how many, (images, pictures), whole numbers.
    """

    def __init__(self, inliers: np.ndarray) -> None:
        self.inliers = inliers

    @property
    def shares(self) -> np.ndarray:
        """A picture's inliers over those of all pictures, (images, pictures); 0 for an image without any."""
        return shares(self.inliers)

    @property
    def mean(self) -> np.ndarray:
        """Of the shares, over the images, (pictures,)."""
        return self.shares.mean(0)

    @property
    def sd(self) -> np.ndarray:
        """Likewise their standard deviation, that of these images: divided by their number."""
        return self.shares.std(0)

    def ranked(self) -> list[int]:
        """The pictures, by descending mean share; ties in order."""
        return np.argsort(-self.mean, kind="stable").tolist()


def shares(scores: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
    """Inliers (images, pictures) over the sum of all of an image's, or of its ``of`` (images, others)."""
    whole = (scores if of is None else of).sum(1, keepdims=True)
    return scores / np.where(whole == 0, 1, whole)


def contributions(
    images: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    method: PointMethod,
    seed: int = 0,
    *,
    size: int | None = SIZE,
    **settings: Any,
) -> Contributions:
    """How much each of ``pictures`` contributes to each of ``images``: the inliers of RANSAC over matched key points.

    A picture or image with fewer key points than RANSAC needs has no inliers.

    Args:
        images: generated pictures, RGB bytes (h, w, 3) each.
        pictures: training pictures, likewise.
        method: ``harris`` or ``sift``, in Réda & Xu's setting.
        seed: of RANSAC; it decides each pair by itself, whatever else is compared.
        size: side to which all are resized, in pixels, whatever their shape; None: they are not.
        settings: ``residual`` and ``tries`` of `genviz.matching.harris.match` or `genviz.matching.sift.match`.

    Raises:
        UserError: an unknown method, no picture, or none with enough key points.
    """
    if method not in ("harris", "sift"):
        raise UserError(f"method={method} is unknown; choose harris or sift")
    comparer = ByPoints(method, size, seed, **settings)
    ours, theirs = (_some(comparer.look(some), what) for some, what in ((images, "images"), (pictures, "pictures")))
    inliers = np.zeros((len(ours), len(theirs)), int)
    rows, columns = ([n for n, points in enumerate(some) if points is not None] for some in (ours, theirs))
    inliers[np.ix_(rows, columns)] = comparer.scores([ours[n] for n in rows], [theirs[n] for n in columns])
    return Contributions(inliers)


def word_scores(
    images: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    seed: int = 0,
    *,
    size: int | None = SIZE,
    words: int = 10,
    standardize: Standardize = False,
    smooth: bool = True,
) -> np.ndarray:
    """The cosine of each image's bag of visual words with each picture's, (images, pictures).

    Réda & Xu's Table 3 has the mean and the median of ``word_scores(…, standardize="words", smooth=False).max(1)``.

    Args:
        images, pictures, size: as for `contributions`.
        seed: of k-means.
        words, standardize, smooth: as for `genviz.matching.words.Words`.

    Raises:
        UserError: there are no pictures, or they have fewer descriptors than there are words.
    """
    comparer = ByWords(pictures, size, seed, count=words, standardize=standardize, smooth=smooth)
    ours, theirs = (_some(comparer.look(some), what) for some, what in ((images, "images"), (pictures, "pictures")))
    nothing = np.empty((0, 128))
    return comparer.scores(*([nothing if one is None else one for one in some] for some in (ours, theirs)))


def _some(found: list[Any], what: str) -> list[Any]:
    if all(one is None for one in found):
        raise UserError(f"none of the {len(found)} {what} has enough key points; give larger ones, or with more detail")
    return found
