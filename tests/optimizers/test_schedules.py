import pytest

from genviz.optimizers.schedules import cosine, falling


def test_it_rises_and_falls():
    share = cosine(1000, 100)
    assert share(0) == pytest.approx(0.01)
    assert share(99) == pytest.approx(0.98, abs=0.01)
    assert share(500) == pytest.approx(0.5, abs=0.01)
    assert share(1000) == pytest.approx(0.002)
    assert all(share(n) > share(n + 1) for n in range(100, 1000))


def test_no_warm_up():
    assert cosine(10, 0)(0) == pytest.approx(1)


def test_a_rate_falls_to_its_end():
    share = falling(101, 0.1)
    assert [share(update) for update in (0, 50, 100)] == pytest.approx([1.0, 0.55, 0.1])
    assert falling(1, 0.5)(0) == 1.0


def test_before_it_falls_a_rate_can_rise():
    """As VITAL's code: (n + 1) / 100, then half a cosine."""
    share = falling(201, 0.0, 100)
    assert [share(update) for update in (0, 49, 99)] == pytest.approx([0.01, 0.5, 1.0])
    assert [share(update) for update in (100, 150, 200)] == pytest.approx([1.0, 0.5, 0.0])
    assert falling(5, 1.0, 2)(0) == 0.5
    assert [falling(5, 1.0, 2)(update) for update in (1, 2, 4)] == [1.0, 1.0, 1.0]
    assert falling(3, 0.1, 10)(2) == pytest.approx(0.3)  # it ends before
