import math

import pytest

from genviz.adversarial.rates import told, wilson


@pytest.mark.parametrize("successes", range(0, 21, 4))
def test_the_interval_holds_the_rates_that_a_normal_test_does_not_reject(successes):
    """Wilson 1927: at its ends, the rate that was found is 1.96 standard errors of that end away."""
    count, found = 20, successes / 20
    for end in wilson(successes, count):
        if 0 < end < 1:
            assert abs(found - end) / math.sqrt(end * (1 - end) / count) == pytest.approx(1.959964, abs=1e-6)


def test_known_values():
    """R: prop.test(x, n, correct=FALSE)."""
    assert wilson(15, 20) == pytest.approx((0.5312995, 0.8881381), abs=1e-6)
    assert wilson(0, 10) == pytest.approx((0, 0.2775328), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((0.7224672, 1), abs=1e-6)
    assert wilson(0, 0) == (0, 1)


@pytest.mark.parametrize(("successes", "count"), [(-1, 3), (4, 3)])
def test_what_is_no_rate(successes, count):
    with pytest.raises(ValueError, match="successes of"):
        wilson(successes, count)


def test_told():
    assert told(15, 20) == "75.0 % (53.1 to 88.8)"
    assert told(0, 0) == "0.0 % (0.0 to 100.0)"
