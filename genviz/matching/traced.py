"""Generated pictures beside training pictures by one method, with what chance would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm.auto import tqdm

from genviz.errors import UserError
from genviz.matching.baseline import p_any, p_noise, phase_randomized, stands_out
from genviz.matching.comparers import Comparer
from genviz.matching.contributions import shares

LEVEL = 0.05
"""Up to which a p-value counts as more than chance."""
_PATIENCE = 2.0  # seconds before a progress bar is shown


class Traced(NamedTuple):
    """How like generated pictures the training pictures are, by one method."""

    method: str
    unit: str
    """Of the scores: inliers, or cosine."""
    images: list[str]
    """Those compared, by name."""
    pictures: list[str]
    scores: np.ndarray
    """(images, pictures)."""
    levels: dict[str, np.ndarray]
    """Of each baseline's pictures, by its name, the mean over the images, (others,), in the unit of `values`."""
    noise: np.ndarray
    """With noise in place of each given image, those left out too: `values`, (times, given, pictures)."""
    p_any: float | None
    """That the highest stands out by chance, if the pictures are exchangeable; None for a single image."""
    p_noise: float | None
    """The same, if the images are exchangeable with noise of their spectrum; None without noise."""
    left_out: list[str]
    """Images, pictures and others with too little to compare."""

    @property
    def values(self) -> np.ndarray:
        """Shares of an image's inliers, or cosines, (images, pictures)."""
        return in_unit(self.scores, self.unit)

    @property
    def mean(self) -> np.ndarray:
        """Over the images, (pictures,)."""
        return self.values.mean(0)

    @property
    def sd(self) -> np.ndarray:
        """Over the images, (pictures,)."""
        return self.values.std(0)

    def ranked(self) -> list[int]:
        """The pictures, by descending mean; ties in order."""
        return np.argsort(-self.mean, kind="stable").tolist()

    @property
    def chance(self) -> tuple[float, float] | None:
        """The highest mean, if it stood out of all pictures' as that of noise does: on average, and at most."""
        if not len(self.noise):
            return None
        far = stands_out(self.noise) * self.noise.shape[1] / len(self.images)  # those left out add 0 to all means
        return float(self.values.mean() + far.mean()), float(self.values.mean() + far.max())

    @property
    def p(self) -> float | None:
        """The larger of the p-values: both must be small."""
        return max((p for p in (self.p_any, self.p_noise) if p is not None), default=None)

    def shown(self, value: float) -> str:
        """A share or a cosine as text."""
        return f"{value:.1%}".replace("%", " %") if self.unit == "inliers" else f"{value:.3f}"

    def verdict(self) -> str:
        """One sentence: which is highest, what chance does, and whether that is more."""
        first = self.ranked()[0]
        verb = "contributes" if self.unit == "inliers" else "has a cosine of"
        told = f"the highest, {self.pictures[first]}, {verb} {self.shown(float(self.mean[first]))}"
        if self.chance is not None:
            usual, most = map(self.shown, self.chance)
            told += f" ({usual} expected by chance, noise up to {most})"
        if self.p is None:
            return f"{told}: not tested; noise=19 compares with noise"
        told += f": p = {self.p:.2g}"
        if self.p_noise is None and self.p <= LEVEL:
            return f"{told} for arbitrary pictures, which tells little alone; noise=19 compares with noise"
        if self.p == self.p_noise and LEVEL < self.p == 1 / (len(self.noise) + 1):
            return f"{told}, more than all noise, but {len(self.noise)} are too few to tell; noise=19 is enough"
        told += f", {'more' if self.p <= LEVEL else 'not more'} than chance"
        if self.p_any is not None and self.p_noise is not None and self.p_any <= LEVEL < self.p_noise:
            told += f" ({first_name(self.pictures[first])} stands out as far from noise)"
        return told


def first_name(name: str) -> str:
    """A picture's file name."""
    return name.rsplit("/", 1)[-1]


def in_unit(scores: np.ndarray, unit: str, of: np.ndarray | None = None) -> np.ndarray:
    """Shares of the inliers of all pictures, or cosines as they are; ``of``: the scores of all pictures."""
    return shares(scores, of) if unit == "inliers" else scores


def traced(
    comparer: Comparer,
    images: Mapping[str, np.ndarray],
    pictures: Mapping[str, np.ndarray],
    others: Mapping[str, np.ndarray] | None = None,
    *,
    noise: int = 19,
    seed: int = 0,
    seen: tuple[Sequence[Any], Sequence[Any]] | None = None,
) -> Traced:
    """Compare each image with each picture, and with what chance would do.

    Args:
        comparer: by what they are compared.
        images: generated pictures by name, RGB bytes (h, w, 3).
        pictures, others: the training pictures, and those of another class, likewise.
        noise: how often the images are replaced by noise with their spectrum; 0: not, nor are the pictures.
        seed: of noise and shuffling.
        seen: what the comparer sees in the pictures and in the others, where that is known.

    Raises:
        UserError: no image or fewer than two pictures have enough to compare.
    """
    left_out: list[str] = []

    def looked(some: Mapping[str, np.ndarray], known: Sequence[Any] | None = None) -> dict[str, Any]:
        found = dict(zip(some, comparer.look(list(some.values())) if known is None else known, strict=True))
        left_out.extend(name for name, one in found.items() if one is None)
        return {name: one for name, one in found.items() if one is not None}

    ours = looked(images)
    theirs = looked(pictures, None if seen is None else seen[0])
    if not ours:
        raise UserError(
            f"method={comparer.name}: {told_of(left_out)} has too little to match; give a picture with detail"
        )
    if len(theirs) < 2:
        raise UserError(
            f"method={comparer.name}: only {len(theirs)} of the {len(pictures)} training pictures can be matched; "
            "give two or more with detail"
        )
    scores, unit = comparer.scores(list(ours.values()), list(theirs.values())), comparer.unit
    levels: dict[str, np.ndarray] = {}

    def level(name: str, some: Sequence[Any]) -> None:
        if some:
            levels[name] = in_unit(comparer.scores(list(ours.values()), some), unit, scores).mean(0)

    if others:
        level("other pictures", list(looked(others, None if seen is None else seen[1]).values()))
    of_noise = []
    if noise:
        twins = comparer.look(
            [phase_randomized(pictures[name], (seed, 0, number)) for number, name in enumerate(theirs)]
        )
        level("their noise", [one for one in twins if one is not None])
    for time in tqdm(
        range(noise), f"{comparer.name}: noise", unit="noise", delay=_PATIENCE, leave=False, dynamic_ncols=True
    ):
        drawn = [phase_randomized(image, (seed, 1, time, n)) for n, image in enumerate(images.values())]
        made = comparer.look(drawn)
        found = np.zeros((len(images), len(theirs)))
        rows = [row for row, one in enumerate(made) if one is not None]
        if rows:
            found[rows] = comparer.scores([made[row] for row in rows], list(theirs.values()))
        of_noise.append(in_unit(found, unit))
    values, instead = in_unit(scores, unit), np.array(of_noise).reshape(noise, len(images), len(theirs))
    given = np.zeros(instead.shape[1:])  # an image with too little counts as 0, as its noise does
    given[[row for row, name in enumerate(images) if name in ours]] = values
    return Traced(
        *(comparer.name, unit, list(ours), list(theirs), scores, levels, instead),
        *(p_any(values, seed), p_noise(given, instead), left_out),
    )


def told_of(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"
