"""Harris corners of two pictures, matched by the windows around them (Harris & Stephens 1988; Réda & Xu, section 3.3).

A corner's match is the one whose window differs least. So they find each other where a picture was shifted or hardly
turned, and not where it was turned far or scaled: a window is not turned with its corner.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.feature import corner_harris, corner_peaks

from genviz.matching.consensus import Matched, best, fitted, nearest, unmatched

LEAST = 3
"""Corners that an affine transform needs."""


class Corners(NamedTuple):
    """The corners of a picture."""

    places: np.ndarray
    """Rows and columns, (n, 2), in pixels."""
    windows: np.ndarray
    """The grey values around each, times the root of their weights, (n, side * side)."""

    def __len__(self) -> int:
        return len(self.places)


def find(
    grey: np.ndarray, *, threshold: float = 0.001, distance: int = 1, window: int = 11, sd: float = 3.0
) -> Corners:
    """The corners of a picture (h, w), grey in [0, 1]; beyond the edge, its pixels are repeated.

    Args:
        threshold: least response, as a share of the picture's largest.
        distance: between two corners, in pixels.
        window: side of the square around a corner, in pixels, odd.
        sd: standard deviation of the Gaussian that weighs its pixels.
    """
    response = corner_harris(grey)
    flat = np.ptp(grey) < 1e-6  # all is rounding
    places = np.empty((0, 2), int) if flat else corner_peaks(response, threshold_rel=threshold, min_distance=distance)
    around = np.arange(window) - window // 2
    weights = np.exp(-(around[:, None] ** 2 + around**2) / (2 * sd**2))
    padded = np.pad(grey, window // 2, mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
    windows = views[places[:, 0], places[:, 1]] * np.sqrt(weights / weights.sum())
    return Corners(places.astype(float), windows.reshape(len(places), window**2))


def match(
    ours: Corners, theirs: Corners, *, seed: int = 0, residual: float = 2.0, tries: int = 100, mutual: bool = False
) -> Matched:
    """Match each of our corners to one of theirs, and keep those that one affine transform maps.

    Args:
        seed: of the three matches of each try.
        residual: distance in pixels below which a match is an inlier.
        tries: transforms.
        mutual: leave out matches that are not the best of both corners. Without, a transform that shrinks the picture
            to a point may map many corners to one.
    """
    if len(ours) < LEAST or len(theirs) < LEAST:
        return unmatched(len(ours))
    squares = (ours.windows**2).sum(1)[:, None] + (theirs.windows**2).sum(1) - 2 * ours.windows @ theirs.windows.T
    some, those = nearest(squares, mutual)
    if len(some) < LEAST:
        return unmatched(len(some))
    own, places = ours.places[some], theirs.places[those]
    draw = np.random.default_rng(seed)
    chosen = np.stack([draw.choice(len(own), 3, replace=False) for _ in range(tries)])
    source = np.concatenate((own[chosen], np.ones((tries, 3, 1))), 2)
    regular = abs(np.linalg.det(source)) > 1e-6  # three on a line say nothing
    if not regular.any():
        return unmatched(len(own))
    matrices = np.linalg.solve(source[regular], places[chosen[regular]]).swapaxes(1, 2)
    inside = best(matrices, own, places, residual)
    return Matched(own[inside], places[inside], fitted("affine", own[inside], places[inside], residual), len(own))
