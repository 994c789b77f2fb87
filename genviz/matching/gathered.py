"""The pictures of a trace, read once, and the comparer of each method for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from genviz.errors import UserError
from genviz.images.decoding import decode
from genviz.images.folders import apart, distinct, find_pictures, tell_copies
from genviz.images.given import readable
from genviz.images.pictures import UNREADABLE, read_picture
from genviz.interfaces import Classifier
from genviz.matching.comparers import ByFeatures, ByPoints, ByWords, Comparer, PointMethod, fitting
from genviz.matching.traced import Traced, told_of, traced
from genviz.retrieval.features import Kept, look

Named = dict[str, np.ndarray]
"""Pictures by name, RGB bytes (h, w, 3)."""
SIZE = 200
POINTS: dict[str, dict[str, Any]] = {
    "harris": {"residual": 2.0, "tries": 100, "mutual": True},
    "sift": {"residual": 5.0, "tries": 100, "mutual": True},
}
WORDS: dict[str, Any] = {"count": 200, "standardize": False, "smooth": True}


class Seeing(NamedTuple):
    """The network of ``method=features``, and what is kept of what it sees in a folder."""

    classifier: Classifier
    kept: Kept
    cache: Path | None = None


class Plan(NamedTuple):
    """How pictures are compared; the defaults are those of ``configs/trace.yaml``."""

    size: int = SIZE
    """To which all are resized, for key points and words."""
    noise: int = 19
    seed: int = 0
    points: Mapping[str, Mapping[str, Any]] = POINTS
    """By method, the settings of its matching."""
    words: Mapping[str, Any] = WORDS
    seeing: Seeing | None = None


class Gathered:
    """A folder of training pictures, and another, read for several methods.

    Args:
        pictures, baseline: the folders; copies of a picture in them are left out.
        plan: how they will be compared.

    Raises:
        UserError: there is no such folder, or fewer than two pictures in it that can be decoded.
    """

    def __init__(self, pictures: str | Path, baseline: str | Path | None, plan: Plan) -> None:
        self.plan = plan
        self._paths: list[list[Path]] = []
        self._seen: list[list[Any]] = []
        copies = 0
        for folder, setting in ((pictures, "pictures"), (baseline, "baseline")):
            found, seen = [] if folder is None else find_pictures(folder, setting).pictures, list[Any]()
            if folder is not None and plan.seeing is not None:
                classifier, kept, cache = plan.seeing
                features = look(folder, classifier, kept._replace(setting=setting), cache=cache)
                found, seen = [features.root / name for name in features.names], ByFeatures.known(features)
            first = dict.fromkeys(distinct(found))
            self._seen.append([one for path, one in zip(found, seen, strict=False) if path in first])
            self._paths.append(list(first))
            copies += len(found) - len(first)
        tell_copies(copies)
        self._roots = [None if folder is None else apart(folder)[0] for folder in (pictures, baseline)]
        self._read: dict[tuple[int, int], list[Named]] = {}
        if len(own := self.read((plan.size, plan.size))[0]) < 2:
            raise UserError(f"pictures={pictures}: only {len(own)} picture can be decoded; give two or more")

    def read(self, size: tuple[int, int]) -> list[Named]:
        """The training pictures and the others, resized."""
        if size not in self._read:
            found: list[Named] = []
            for number, root in enumerate(self._roots):
                if root is None:
                    found.append({})
                    continue
                pixels, paths = decode(self._paths[number], size)
                self._paths[number] = list(paths)
                arrays = pixels.permute(0, 2, 3, 1).numpy()
                found.append({readable(p.relative_to(root)): a for p, a in zip(paths, arrays, strict=True)})
            self._read[size] = found
        return self._read[size]

    def trace(self, method: str, images: Mapping[str, np.ndarray]) -> Traced:
        """Compare images, RGB bytes (h, w, 3) of any size, by one method.

        Raises:
            UserError: there is too little to compare in them.
        """
        plan, seen, size = self.plan, None, (self.plan.size, self.plan.size)
        comparer: Comparer
        if method == "features":
            assert plan.seeing is not None
            comparer, size = ByFeatures(*plan.seeing[:2]), plan.seeing.classifier.outline.input_size
            seen = (self._seen[0], self._seen[1])
        own, others = self.read(size)
        images = {name: fitting(image, size) for name, image in images.items()}
        if method == "words":
            comparer = ByWords(list(own.values()), plan.size, plan.seed, **plan.words)
        elif method != "features":
            comparer = self.by_points(method)
        return traced(comparer, images, own, others, noise=plan.noise, seed=plan.seed, seen=seen)

    def by_points(self, method: str) -> ByPoints:
        """The comparer of ``method=harris`` or ``sift``."""
        name: PointMethod = "sift" if method == "sift" else "harris"
        return ByPoints(name, self.plan.size, self.plan.seed, **self.plan.points[name])


def left_out(found: Traced) -> str | None:
    """A line on what had too little to compare; None if all had enough."""
    if not found.left_out:
        return None
    need = {"harris": "corners", "sift": "key points", "words": "key points"}.get(found.method, "features")
    return f"left out by {found.method}: {told_of(found.left_out)}: too few {need}"


def named_images(files: Sequence[Path], names: Sequence[str]) -> Named:
    """Generated pictures at their own size, by name; those that cannot be decoded are told.

    Raises:
        UserError: none can be decoded.
    """
    found: Named = {}
    for path, name in zip(files, names, strict=True):
        try:
            found[name] = read_picture(path).permute(1, 2, 0).numpy()
        except UNREADABLE:
            print(f"left out: {readable(path)} cannot be decoded", file=sys.stderr, flush=True)
    if not found:
        given = f"none of the {len(files)} images can be decoded"
        raise UserError(f"{given}, such as {readable(files[0])}; give intact ones")
    return found
