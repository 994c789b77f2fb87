"""RANSAC (Fischler & Bolles 1981) over transforms that are all tried at once.

`skimage.measure.ransac` fits one after the other, 30 ms for a hundred affine ones; a baseline takes thousands of pairs.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from skimage.transform import AffineTransform, SimilarityTransform, estimate_transform

_ROUNDS = 3  # of fitting to those that are close


class Matched(NamedTuple):
    """The key points of two pictures that one transform maps onto each other."""

    ours: np.ndarray
    """Rows and columns in the first picture, (n, 2), in pixels."""
    theirs: np.ndarray
    """Those of the same in the second."""
    transform: AffineTransform | SimilarityTransform | None
    """Maps (column, row) of the first to the second, fitted to them by least squares; None: too few of them."""
    candidates: int
    """Matches of which these are the inliers."""

    @property
    def inliers(self) -> int:
        """How many there are."""
        return len(self.ours)


def unmatched(candidates: int = 0) -> Matched:
    """No match at all."""
    return Matched(np.empty((0, 2)), np.empty((0, 2)), None, candidates)


def nearest(distances: np.ndarray, mutual: bool) -> tuple[np.ndarray, np.ndarray]:
    """The matches of key points by their distances (n, m): to each of ours the nearest of theirs.

    Args:
        mutual: only those that are also the nearest of ours to theirs, so that no two have the same.

    Returns:
        The numbers of ours and of theirs, (matches,) each.
    """
    theirs = distances.argmin(1)
    ours = np.arange(len(distances))
    kept = distances.argmin(0)[theirs] == ours if mutual else np.full(len(ours), True)
    return ours[kept], theirs[kept]


def best(matrices: np.ndarray, ours: np.ndarray, theirs: np.ndarray, residual: float) -> np.ndarray:
    """The inliers of the matrix that has most of them; of several, of the one with the least sum of squares.

    Args:
        matrices: (tries, 2, 3), which map (row, column, 1).
        ours, theirs: places of the matches, (n, 2).
        residual: distance in pixels below which a match is an inlier.

    Returns:
        Which matches are inliers, (n,).
    """
    mapped = np.einsum("tij,nj->tni", matrices[:, :, :2], ours) + matrices[:, None, :, 2]
    squared = ((mapped - theirs) ** 2).sum(2)  # (tries, n)
    inside = squared < residual**2
    counts = inside.sum(1)
    sums = np.where(counts == counts.max(), np.where(inside, squared, 0).sum(1), np.inf)
    return inside[sums.argmin()]


def fitted(
    kind: Literal["affine", "similarity"], ours: np.ndarray, theirs: np.ndarray, close: float
) -> AffineTransform | SimilarityTransform | None:
    """The transform of matches by least squares, then of those that it maps within ``close`` pixels; None: too few."""
    source, target = ours[:, ::-1], theirs[:, ::-1]
    least = 3 if kind == "affine" else 2
    kept, found = np.full(len(ours), True), None
    for _ in range(_ROUNDS):
        with np.errstate(invalid="ignore", divide="ignore"):  # all at one place
            fit = estimate_transform(kind, source[kept], target[kept]) if kept.sum() >= least else None
        if not fit or not np.isfinite(fit.params).all():
            break
        found, kept = fit, np.linalg.norm(fit(source) - target, axis=1) < close
    return found
