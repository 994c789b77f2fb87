"""The pictures nearest to others in the space of a classifier's features: exact, and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from genviz.retrieval.features import Features

Metric = Literal["euclidean", "cosine"]

_MANY = 100_000
"""More pictures than that are searched by FAISS, if it is installed."""
_SPARE = 8  # candidates beyond those asked for, which exact distances may bring forward
_QUERIES = 1024  # at once


def nearest(
    features: Features, queries: np.ndarray, count: int, metric: Metric = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` pictures nearest to each of the ``queries`` (q, width), nearest first.

    All are compared, by scikit-learn or FAISS, and the best candidates' distances are computed again in double
    precision, so that both find the same, and a picture is at distance 0 from itself. Among equally near ones, the
    first by name comes first.

    Args:
        metric: ``euclidean``, or ``cosine``: 1 minus the cosine.

    Returns:
        The pictures' numbers and their distances, (q, count) each.

    Raises:
        UserError: a picture's features are not finite.
    """
    count = min(count, len(features.names))
    search = _faiss(metric) if len(features.names) > _MANY else None
    search = search or _brute(metric)
    parts = []
    for first in range(0, len(queries), _QUERIES):
        some = np.asarray(queries[first : first + _QUERIES], np.float32)
        parts.append(_exact(features, some, _candidates(features, some, count + _SPARE, search), count, metric))
    return np.concatenate([numbers for numbers, _ in parts]), np.concatenate([far for _, far in parts])


_Search = Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Finds the nearest of some pictures (n, width): for queries (q, width), distances and numbers (q, count)."""


def _candidates(features: Features, queries: np.ndarray, count: int, search: _Search) -> np.ndarray:
    """The ``count`` nearest as far as single precision tells, (q, count); a chunk of the pictures after the other."""
    best = np.empty((len(queries), 0), np.float64)
    numbers = np.empty((len(queries), 0), np.int64)
    for first, chunk in features.chunks():
        far, found = search(chunk, queries, min(count, len(chunk)))
        best, numbers = np.hstack([best, far]), np.hstack([numbers, first + found])
        kept = np.argsort(best, 1, kind="stable")[:, :count]
        best, numbers = np.take_along_axis(best, kept, 1), np.take_along_axis(numbers, kept, 1)
    return numbers


def _exact(
    features: Features, queries: np.ndarray, candidates: np.ndarray, count: int, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` nearest of each query's candidates, and their distances, in double precision."""
    numbers = np.sort(candidates, 1)
    far = np.empty(numbers.shape)
    for row, (query, own) in enumerate(zip(queries, numbers, strict=True)):
        one, many = query.astype(np.float64), features.stored[features.rows[own]].astype(np.float64)
        if metric == "cosine":
            one, many = _unit(one), _unit(many)
        squared = ((many - one) ** 2).sum(1)
        far[row] = squared / 2 if metric == "cosine" else np.sqrt(squared)
    kept = np.argsort(far, 1, kind="stable")[:, :count]
    return np.take_along_axis(numbers, kept, 1), np.take_along_axis(far, kept, 1)


def _unit(values: np.ndarray) -> np.ndarray:
    """At length 1; what is 0 stays 0."""
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return values / np.where(length == 0, 1, length)


def _brute(metric: Metric) -> _Search:
    from sklearn.neighbors import NearestNeighbors  # takes a second

    def search(pictures: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        if metric == "cosine":
            pictures, queries = _unit(pictures), _unit(queries)
        return NearestNeighbors(algorithm="brute").fit(pictures).kneighbors(queries, count)

    return search


def _faiss(metric: Metric) -> _Search | None:
    """FAISS' exhaustive search; None where it is not installed."""
    try:
        import faiss
    except ImportError:
        return None

    def search(pictures: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        if metric == "cosine":
            pictures, queries = _unit(pictures), _unit(queries)
        far, numbers = faiss.knn(np.ascontiguousarray(queries), np.ascontiguousarray(pictures), count)
        return far, numbers

    return search
