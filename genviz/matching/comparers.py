"""What two pictures are compared by: matched key points, visual words, or what a network sees in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from skimage.color import rgb2gray
from tqdm.auto import tqdm

from genviz.images.pictures import display, resize
from genviz.interfaces import Classifier
from genviz.matching import harris, sift
from genviz.matching.consensus import Matched
from genviz.matching.words import Standardize, Words
from genviz.retrieval.features import FEATURES, Features, Kept, see

PointMethod = Literal["harris", "sift"]
_DETECTORS: dict[str, Any] = {"harris": harris, "sift": sift}
_PATIENCE = 2.0  # seconds before a progress bar is shown
SIZE = 100
"""Side to which Réda & Xu resize all pictures, in pixels."""


class Comparer(Protocol):
    """Says how much alike pictures are, by one method."""

    name: str
    unit: str
    """Of its scores: inliers, or cosine."""

    def look(self, pictures: Sequence[np.ndarray]) -> list[Any]:
        """What is compared of each picture, RGB bytes (h, w, 3); None where there is too little of it."""

    def scores(self, ours: Sequence[Any], theirs: Sequence[Any]) -> np.ndarray:
        """How much each of ours is like each of theirs, (ours, theirs)."""


def fitting(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture, RGB bytes (h, w, 3), with ``size`` rows and columns, whatever its shape was."""
    if picture.shape[:2] == size:
        return picture
    image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
    return display(resize(image, size)[0]).numpy()


def grey(picture: np.ndarray, size: int | None = SIZE) -> np.ndarray:
    """A picture, RGB bytes (h, w, 3), as grey in [0, 1], ``size`` pixels high and wide, or as it is."""
    return rgb2gray(picture if size is None else fitting(picture, (size, size)))


class ByPoints:
    """By matched key points: how many are mapped onto each other by one transform.

    Args:
        method: harris or sift.
        size: side to which pictures are resized, in pixels; None: they are not.
        seed: of RANSAC.
        settings: of `genviz.matching.harris.match` or `genviz.matching.sift.match`.
    """

    unit = "inliers"

    def __init__(self, method: PointMethod, size: int | None = SIZE, seed: int = 0, **settings: Any) -> None:
        self.name, self.size, self.seed, self.settings = str(method), size, seed, settings
        self._detector = _DETECTORS[method]

    def look(self, pictures: Sequence[np.ndarray]) -> list[Any]:
        """The key points of each; None where RANSAC needs more."""
        found = [self._detector.find(grey(picture, self.size)) for picture in _told(pictures, f"{self.name} points")]
        return [points if len(points) >= self._detector.LEAST else None for points in found]

    def scores(self, ours: Sequence[Any], theirs: Sequence[Any]) -> np.ndarray:
        """The inliers of each pair, (ours, theirs)."""
        counts = [[self.match(one, other).inliers for other in theirs] for one in _told(ours, f"{self.name} matches")]
        return np.array(counts, int).reshape(len(ours), len(theirs))

    def match(self, one: Any, other: Any) -> Matched:
        """The inliers of one pair."""
        return self._detector.match(one, other, seed=self.seed, **self.settings)


class ByWords:
    """By the cosine of bags of visual words, which are those of ``pictures``.

    Args:
        pictures: RGB bytes (h, w, 3) each.
        size, seed: as for `ByPoints`.
        count, standardize, smooth: as for `genviz.matching.words.Words`.

    Raises:
        UserError: they have fewer descriptors than there are words.
    """

    name, unit = "words", "cosine"

    def __init__(
        self,
        pictures: Sequence[np.ndarray],
        size: int | None = SIZE,
        seed: int = 0,
        *,
        count: int = 10,
        standardize: Standardize = False,
        smooth: bool = True,
    ) -> None:
        self.size = size
        own = [some for some in self.look(pictures) if some is not None]
        self.words = Words(own, count, standardize=standardize, smooth=smooth, seed=seed)

    def look(self, pictures: Sequence[np.ndarray]) -> list[Any]:
        """The descriptors of each; None where there is none."""
        found = [sift.find(grey(picture, self.size)).descriptors for picture in _told(pictures, "descriptors")]
        return [some if len(some) else None for some in found]

    def scores(self, ours: Sequence[Any], theirs: Sequence[Any]) -> np.ndarray:
        """Cosines, (ours, theirs)."""
        return self.words.histograms(ours) @ self.words.histograms(theirs).T


class ByFeatures:
    """By the cosine of what a network sees, as `genviz neighbours` computes and keeps it."""

    name, unit = "features", "cosine"

    def __init__(self, classifier: Classifier, kept: Kept) -> None:
        self.classifier, self.kept = classifier, kept

    def look(self, pictures: Sequence[np.ndarray]) -> list[Any]:
        """The features of each, (width,)."""
        found: list[Any] = []
        for picture in _told(pictures, "looking"):
            image = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255
            seen = see(self.classifier, resize(image, self.classifier.outline.input_size), self.kept, at_once=1)
            found.append(seen[FEATURES][0])
        return found

    @staticmethod
    def known(features: Features) -> list[Any]:
        """Those of a folder that `genviz.retrieval.features.look` has looked at."""
        return list(features.matrix())

    def scores(self, ours: Sequence[Any], theirs: Sequence[Any]) -> np.ndarray:
        """Cosines, (ours, theirs)."""
        one, other = (_unit(np.stack(some).astype(float)) for some in (ours, theirs))
        return one @ other.T


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length == 0, 1, length)


def _told(some: Sequence[Any], what: str) -> Any:
    return tqdm(some, what, unit="picture", delay=_PATIENCE, leave=False, dynamic_ncols=True)
