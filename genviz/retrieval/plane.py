"""Features as places in a plane, and the places as cells of a grid."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from genviz.errors import UserError

Method = Literal["tsne", "pca", "umap"]

FEWEST = 4
"""Pictures of a map."""
_COMPONENTS = 50  # of the features, before t-SNE or UMAP
_PERPLEXITY = 30.0
_AT_ONCE = 2048  # cells that are assigned in one go


def check_method(method: Method) -> None:
    """Check that what ``method`` needs is installed.

    Raises:
        UserError: it is not.
    """
    if method == "umap" and find_spec("umap") is None:
        raise UserError("method=umap needs the package umap-learn: pip install umap-learn; or give method=tsne")


def perplexity_of(count: int, perplexity: float | str = "auto") -> float:
    """The perplexity for ``count`` pictures: the one given, or 30, or a third of those beside one if that is less.

    Raises:
        UserError: there are too few pictures for it, or for any.
    """
    if count < FEWEST:
        raise UserError(f"a map takes at least {FEWEST} pictures, but there are only {count}")
    if isinstance(perplexity, str):
        return min(_PERPLEXITY, (count - 1) / 3)
    if perplexity >= count:
        raise UserError(f"perplexity={perplexity:g} must be below the number of pictures, {count:,}; auto chooses it")
    return float(perplexity)


def laid_out(
    features: np.ndarray, method: Method = "tsne", *, perplexity: float | str = "auto", seed: int = 0
) -> np.ndarray:
    """A place for each of the ``features`` (n, width): (n, 2), from 0 to 1 in the longer direction.

    t-SNE (van der Maaten & Hinton 2008) is openTSNE's where that is installed, otherwise scikit-learn's; it and UMAP
    see the first 50 principal components.

    Raises:
        UserError: there are too few pictures.
    """
    from sklearn.decomposition import PCA  # takes a second

    perplexity = perplexity_of(len(features), perplexity)
    features = features.astype(np.float64)
    features -= features.mean(0)
    if not features.any():
        return np.full((len(features), 2), 0.5)  # all alike
    wanted = 2 if method == "pca" else _COMPONENTS
    found = PCA(min(wanted, *features.shape), random_state=seed).fit_transform(features)
    found /= found.std(0).max()
    if found.shape[1] == 1:
        found = np.hstack([found, np.zeros_like(found)])
    if method == "tsne":
        found = _tsne(found, perplexity, seed)
    elif method == "umap":
        from umap import UMAP

        found = UMAP(n_neighbors=min(15, len(found) - 1), init="random", random_state=seed, n_jobs=1).fit_transform(
            found
        )
    span = np.ptp(found, 0)
    return (found - found.min(0) - span / 2) / span.max() + 0.5


def _tsne(found: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    if find_spec("openTSNE") is not None:
        from openTSNE import TSNE as Faster  # noqa: N811

        return np.asarray(Faster(perplexity=perplexity, initialization="pca", random_state=seed).fit(found))
    from sklearn.manifold import TSNE

    start: Any = found[:, :2] / found[:, 0].std() * 1e-4  # as scikit-learn does by itself, but of what may be flat
    start = start + np.random.default_rng(seed).normal(0, 1e-6, start.shape)  # equal pictures can part
    return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(found.astype(np.float32))


def grid_of(count: int) -> tuple[int, int]:
    """Columns and rows of a grid with room for ``count`` pictures, as square as it can be."""
    columns = math.ceil(math.sqrt(count))
    return columns, math.ceil(count / columns)


def cells(places: np.ndarray) -> np.ndarray:
    """A cell of `grid_of` for each of the ``places`` (n, 2), its column and row: (n, 2), each cell once.

    The sum of the squared distances to the cells is the least (linear assignment). Of more than 2,048 places, halves
    of the plane are given halves of the grid until they are that few.
    """
    columns, rows = grid_of(len(places))
    found = np.empty((len(places), 2), np.int64)
    low, span = places.min(0), np.ptp(places, 0)
    scaled = (places - low) / np.where(span == 0, 1, span) * (columns - 1, rows - 1)
    _assign(scaled, np.arange(len(places)), (0, 0, columns, rows), found)
    return found


def _assign(places: np.ndarray, which: np.ndarray, block: tuple[int, int, int, int], found: np.ndarray) -> None:
    """Give the places ``which`` the cells of a block of the grid: its first column and row, its columns and rows."""
    left, top, columns, rows = block
    if columns * rows <= _AT_ONCE or len(which) == 0:
        from scipy.optimize import linear_sum_assignment

        free = np.stack(np.meshgrid(np.arange(columns) + left, np.arange(rows) + top), -1).reshape(-1, 2)
        own, cell = linear_sum_assignment(((places[which, None] - free[None]) ** 2).sum(-1))
        found[which[own]] = free[cell]
        return
    across = columns >= rows
    half = (columns if across else rows) // 2
    first = (left, top, half, rows) if across else (left, top, columns, half)
    second = (left + half, top, columns - half, rows) if across else (left, top + half, columns, rows - half)
    order = which[np.argsort(places[which, 0 if across else 1], kind="stable")]
    room = columns * rows - len(which)
    share = round(len(which) * (first[2] * first[3]) / (columns * rows))
    count = max(share, len(which) - second[2] * second[3]) if room else first[2] * first[3]
    _assign(places, order[: min(count, first[2] * first[3])], first, found)
    _assign(places, order[min(count, first[2] * first[3]) :], second, found)


def alike_nearby(places: np.ndarray, features: np.ndarray, groups: list[str], seed: int = 0) -> tuple[float, float]:
    """How often a picture's nearest other is of its group: in the plane and among the features, 0 to 1 each.

    Measured on 2,000 of the pictures, if there are more.
    """
    from sklearn.neighbors import NearestNeighbors

    some = np.random.default_rng(seed).permutation(len(places))[:2000]
    own = np.array(groups)
    shares = []
    for space in (places, features):
        near = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(space).kneighbors(space[some])[1]
        other = np.where(near[:, 0] == some, near[:, 1], near[:, 0])
        shares.append(float((own[other] == own[some]).mean()))
    return shares[0], shares[1]
