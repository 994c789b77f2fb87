import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from genviz.errors import UserError
from genviz.retrieval import plane
from genviz.retrieval.plane import alike_nearby, cells, check_method, grid_of, laid_out, perplexity_of


@pytest.fixture
def clouds():
    """Three of 20 pictures each, far apart, and which each is of."""
    rng = np.random.default_rng(0)
    middles = rng.normal(0, 10, (3, 60))
    return np.repeat(middles, 20, 0) + rng.normal(0, 1, (60, 60)), ["abc"[number // 20] for number in range(60)]


@pytest.mark.parametrize("method", ["tsne", "pca", "umap"])
def test_what_is_alike_is_near_and_the_seed_decides_the_rest(clouds, method):
    if method == "umap":
        pytest.importorskip("umap")
    features, groups = clouds
    places = laid_out(features, method, seed=3)
    assert places.shape == (60, 2)
    assert places.min() >= 0
    assert np.ptp(places, 0).max() == pytest.approx(1)
    assert alike_nearby(places, features, groups) == (1, 1)
    np.testing.assert_array_equal(places, laid_out(features, method, seed=3))


@pytest.mark.parametrize("count", [4, 5, 9])
@pytest.mark.parametrize("width", [1, 2, 80])
@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_few_pictures_and_narrow_features_have_places(count, width, method):
    features = np.random.default_rng(0).normal(size=(count, width)).astype(np.float32)
    places = laid_out(features, method)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_equal_pictures_have_places(method):
    assert (laid_out(np.ones((6, 3)), method) == 0.5).all()
    features = np.repeat([[0.0, 0], [1, 1]], 4, 0)
    assert np.isfinite(laid_out(features, method)).all()


def test_the_perplexity():
    assert perplexity_of(1000) == 30
    assert perplexity_of(31) == 10
    assert perplexity_of(31, 30) == 30
    with pytest.raises(UserError, match=r"perplexity=31 must be below the number of pictures, 31"):
        perplexity_of(31, 31)
    with pytest.raises(UserError, match="at least 4 pictures, but there are only 3"):
        perplexity_of(3)


def test_umap_where_it_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setattr(plane, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="method=umap needs the package umap-learn: pip install umap-learn"):
        check_method("umap")
    check_method("tsne")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 50, 144])
def test_the_grid_is_the_best_assignment(count):
    places = np.random.default_rng(count).random((count, 2))
    found = cells(places)
    columns, rows = grid_of(count)
    assert len({tuple(cell) for cell in found.tolist()}) == count
    assert (found >= 0).all()
    assert (found < (columns, rows)).all()
    span = np.where(np.ptp(places, 0) == 0, 1, np.ptp(places, 0))
    scaled = (places - places.min(0)) / span * (columns - 1, rows - 1)
    free = np.array([(column, row) for row in range(rows) for column in range(columns)])
    costs = ((scaled[:, None] - free) ** 2).sum(-1)
    assert ((scaled - found) ** 2).sum() == pytest.approx(costs[linear_sum_assignment(costs)].sum())


@pytest.mark.parametrize("count", [65, 100, 333, 1000])
def test_a_large_grid_is_assigned_in_blocks_and_keeps_its_order(monkeypatch, count):
    monkeypatch.setattr(plane, "_AT_ONCE", 16)
    places = np.random.default_rng(count).random((count, 2))
    found = cells(places)
    columns, rows = grid_of(count)
    assert len({tuple(cell) for cell in found.tolist()}) == count
    assert (found < (columns, rows)).all()
    for axis in range(2):
        assert np.corrcoef(places[:, axis], found[:, axis])[0, 1] > 0.95


def test_places_on_a_line_are_a_grid_too():
    line = np.stack([np.arange(9.0), np.zeros(9)], 1)
    assert len({tuple(cell) for cell in cells(line).tolist()}) == 9
    assert len({tuple(cell) for cell in cells(np.zeros((5, 2))).tolist()}) == 5
