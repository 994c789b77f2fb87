import math

import pytest

from genviz.adversarial.success import Success


@pytest.mark.parametrize(
    ("reached", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_the_interval_is_wilsons(reached, of, low, high):
    """The last is Newcombe's (1998) example."""
    assert Success(reached, of).interval == pytest.approx((low, high), abs=5e-5)


def test_the_ends_solve_wilsons_equation():
    success = Success(7, 31)
    for end in success.interval:
        assert abs(success.share - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / 31))


def test_without_trials_there_is_no_share():
    assert math.isnan(Success(0, 0).share)
    assert all(map(math.isnan, Success(0, 0).interval))
    assert str(Success(0, 0)) == "no picture"
    assert str(Success(1, 2)) == "50.0% (9.5% to 90.5%)"
