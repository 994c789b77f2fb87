import pytest

from genviz.adversarial.rates import told, wilson


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (5, 10, 0.2366, 0.7634), (198, 200, 0.9643, 0.9973)],
)
def test_the_interval_is_wilsons(successes, count, low, high):
    """Values of statsmodels' proportion_confint."""
    assert wilson(successes, count) == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_nothing_is_known():
    assert wilson(0, 0) == (0.0, 1.0)


def test_it_is_told_in_per_cent():
    assert told(198, 200) == "99.0% (96.4 to 99.7) of 200"
