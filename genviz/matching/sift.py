"""SIFT key points of two pictures, matched by their descriptors (Lowe 1999; Réda & Xu, section 3.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from skimage.feature import SIFT

from genviz.matching.consensus import Matched, best, fitted, nearest, unmatched

LEAST = 2
"""Inliers that fix a similarity."""
_NARROW = 12  # pixels: SIFT needs as many for its last octave
_CLOSE = 5  # the transform is fitted to matches within the residual, divided by this


class Points(NamedTuple):
    """The key points of a picture."""

    places: np.ndarray
    """Rows and columns, (n, 2), in pixels."""
    scales: np.ndarray
    """(n,), in pixels."""
    angles: np.ndarray
    """Of the gradient, from rows to columns, (n,), in radians."""
    descriptors: np.ndarray
    """(n, 128), 0 to 255."""

    def __len__(self) -> int:
        return len(self.places)


def find(grey: np.ndarray, *, threshold: float = 0.01) -> Points:
    """The key points of a picture (h, w), grey in [0, 1], by scikit-image.

    Args:
        threshold: least contrast of an extremum of differences of Gaussians.
    """
    detector = SIFT(c_dog=threshold)
    try:
        if min(grey.shape) < _NARROW:
            raise RuntimeError("too narrow")
        detector.detect_and_extract(grey)
    except RuntimeError:  # scikit-image's, if there is no key point
        return Points(np.empty((0, 2)), np.empty(0), np.empty(0), np.empty((0, 128)))
    found: Any = detector
    return Points(found.positions, found.sigmas, found.orientations, found.descriptors.astype(float))


def match(
    ours: Points, theirs: Points, *, seed: int = 0, residual: float = 15.0, tries: int = 100, mutual: bool = False
) -> Matched:
    """Match each of our key points to the nearest of theirs, and keep those that one similarity maps.

    A single match says scale, angle and shift. ``tries`` of them are tried, or all, if there are fewer.

    Args:
        seed: of which are tried.
        residual: distance in pixels below which a match is an inlier; the fitted transform is that of the matches
            within a fifth of it.
        mutual: leave out matches that are not the nearest of both, as for `genviz.matching.harris.match`.
    """
    if not len(ours) or not len(theirs):
        return unmatched(len(ours))
    some, those = nearest(cdist(ours.descriptors, theirs.descriptors), mutual)
    own, places = ours.places[some], theirs.places[those]
    draw = np.random.default_rng(seed)
    chosen = draw.choice(len(own), tries, replace=False) if tries < len(own) else np.arange(len(own))
    scale = (theirs.scales[those] / ours.scales[some])[chosen]
    angle = (theirs.angles[those] - ours.angles[some])[chosen]
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    turned = np.stack((cosine, -sine, sine, cosine), 1).reshape(-1, 2, 2)
    shift = places[chosen] - np.einsum("tij,tj->ti", turned, own[chosen])
    inside = best(np.concatenate((turned, shift[:, :, None]), 2), own, places, residual)
    kept, mapped = own[inside], places[inside]
    return Matched(kept, mapped, fitted("similarity", kept, mapped, residual / _CLOSE), len(own))
