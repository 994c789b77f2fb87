"""Bags of visual words (Sivic & Zisserman 2009), compared by the cosine (Réda & Xu, Table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy.spatial.distance import cdist

from genviz.errors import UserError

Standardize = Literal["words"] | bool
"""What is brought to mean 0 and deviation 1 in each of 128 numbers: words and descriptors, neither, or words alone."""
_LEAST = 1e-4  # of a term


class Words:
    """Visual words: the centres of k-means on the descriptors of all pictures.

    A picture's histogram has, for each word, its share of the picture's descriptors, times the word's rarity, but at
    least 1e-4; then the square root; then the length 1.

    Args:
        descriptors: of each picture, (points, 128), 0 to 255.
        count: how many words.
        standardize: ``"words"`` is what Réda & Xu's code does: the words are standardized and the descriptors that are
            compared with them are not, so that most fall to the few words that point their way.
        smooth: rarity by log((1 + n) / (1 + df)) + 1 for a word in df of n pictures, as scikit-learn has it. False:
            log(n / (df + 1)), as they have it, which is below 0 for a word in all pictures.
        seed: of k-means.

    Raises:
        UserError: there are fewer descriptors than words.
    """

    def __init__(
        self,
        descriptors: Sequence[np.ndarray],
        count: int = 10,
        *,
        standardize: Standardize = False,
        smooth: bool = True,
        seed: int = 0,
    ) -> None:
        from sklearn.cluster import KMeans  # takes a second

        every = np.concatenate(list(descriptors)) if len(descriptors) else np.empty((0, 128))
        if (different := len(np.unique(every, axis=0))) < count:
            raise UserError(
                f"words.count={count}: the pictures have {different} different SIFT descriptors, fewer than {count} "
                "words; give more pictures, larger ones, or a smaller words.count"
            )
        self._mean, self._deviation = every.mean(0), np.maximum(every.std(0), 1e-9)
        self._standardize = standardize
        around = (every - self._mean) / self._deviation if standardize else every
        self._words = KMeans(count, random_state=seed, n_init=4).fit(around).cluster_centers_
        counts = np.stack([self._counts(some) for some in descriptors])
        pictures, has = len(counts), (counts > 0).sum(0)
        rarity = np.log((1 + pictures) / (1 + has)) + 1 if smooth else np.log(pictures / (has + 1))
        self.rarity: np.ndarray = rarity
        """Of each word, (words,)."""

    def _counts(self, descriptors: np.ndarray) -> np.ndarray:
        around = (descriptors - self._mean) / self._deviation if self._standardize is True else descriptors
        nearest = cdist(around, self._words).argmin(1) if len(around) else np.empty(0, int)
        return np.bincount(nearest, minlength=len(self._words))

    def histograms(self, descriptors: Sequence[np.ndarray]) -> np.ndarray:
        """Those of pictures by their descriptors, (n, words), each of length 1."""
        counts = np.stack([self._counts(some) for some in descriptors]).astype(float)
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        terms = np.sqrt(np.maximum(shares * self.rarity, _LEAST))
        return terms / np.linalg.norm(terms, axis=1, keepdims=True)
