from pathlib import Path

import numpy as np
import pytest

from genviz.retrieval import nearest as module
from genviz.retrieval.features import Features
from genviz.retrieval.nearest import nearest


def made(values, rows=None):
    values = np.asarray(values, np.float16)
    rows = np.arange(len(values)) if rows is None else np.asarray(rows)
    return Features(Path("photos"), [f"{number:05}.png" for number in range(len(rows))], values, rows, {}, [])


def slow(features, query, count, metric):
    """All distances, in double precision."""
    many, one = features.matrix().astype(float), np.asarray(query, float)
    if metric == "cosine":
        far = 1 - many @ one / np.linalg.norm(many, axis=1) / np.linalg.norm(one)
    else:
        far = np.linalg.norm(many - one, axis=1)
    order = np.argsort(far, kind="stable")[:count]
    return order, far[order]


@pytest.fixture
def small_chunks(monkeypatch):
    chunks = Features.chunks
    monkeypatch.setattr(Features, "chunks", lambda self, count=7: chunks(self, count))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("searched_by", ["scikit-learn", "faiss"])
def test_the_nearest_are_the_nearest(small_chunks, monkeypatch, metric, searched_by):
    if searched_by == "faiss":
        pytest.importorskip("faiss")
        monkeypatch.setattr(module, "_MANY", 10)
    rng = np.random.default_rng(0)
    features = made(rng.normal(100, 30, (50, 16)), rng.permutation(50)[:40])
    queries = rng.normal(100, 30, (5, 16)).astype(np.float16)
    numbers, far = nearest(features, queries, 6, metric)
    for query, own, distances in zip(queries, numbers, far, strict=True):
        order, expected = slow(features, query, 6, metric)
        np.testing.assert_array_equal(own, order)
        np.testing.assert_allclose(distances, expected, rtol=1e-9, atol=1e-12)


def test_faiss_is_used_beyond_a_hundred_thousand_where_it_is_installed(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "_faiss", lambda metric: asked.append(metric))
    features = made(np.arange(20.0)[:, None])
    nearest(features, features.matrix()[:1], 3)
    assert asked == []
    monkeypatch.setattr(module, "_MANY", 19)
    numbers, _ = nearest(features, features.matrix()[:1], 3)
    assert asked == ["euclidean"]
    assert numbers.tolist() == [[0, 1, 2]]  # by scikit-learn, as it is not


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_picture_is_at_distance_0_from_itself_and_before_its_copies(small_chunks, metric):
    rng = np.random.default_rng(1)
    values = (rng.normal(0, 1, (30, 64)) * 3000).astype(np.float16)
    values[20] = values[3]
    features = made(values)
    numbers, far = nearest(features, features.matrix(), 2, metric)
    assert (far[:, 0] == 0).all()
    assert numbers[[3, 20]].tolist() == [[3, 20], [3, 20]]
    assert np.delete(numbers[:, 0], [3, 20]).tolist() == np.delete(np.arange(30), [3, 20]).tolist()


def test_there_are_no_more_than_there_are():
    assert nearest(made([[1.0], [3.0]]), np.array([[2.5]]), 12)[0].tolist() == [[1, 0]]


def test_features_that_are_all_0_are_no_error():
    numbers, far = nearest(made([[0.0, 0], [1, 0]]), np.array([[0.0, 0]]), 2, "cosine")
    assert numbers.tolist() == [[0, 1]]
    assert np.isfinite(far).all()
