import pytest

from genviz.schedules import cosine


def test_it_rises_and_falls():
    share = cosine(1000, 100)
    assert share(0) == pytest.approx(0.01)
    assert share(99) == pytest.approx(0.98, abs=0.01)
    assert share(500) == pytest.approx(0.5, abs=0.01)
    assert share(1000) == pytest.approx(0.002)
    assert all(share(n) > share(n + 1) for n in range(100, 1000))


def test_no_warm_up():
    assert cosine(10, 0)(0) == pytest.approx(1)
