import math

import pytest
import torch

from genviz.images.shapes import opacity


def test_a_circle_is_as_large_and_as_round_as_it_should_be():
    for side in (8, 25, 100):
        circle = opacity("circle", side)
        assert circle.mean() == pytest.approx(math.pi / 4, abs=0.5 / side)
        assert torch.equal(circle, circle.transpose(1, 2))
        torch.testing.assert_close(circle, circle.flip(1))
        assert (circle[0, 0, 0], circle[0, side // 2, side // 2]) == (0, 1)


def test_a_square_is_opaque():
    assert (opacity("square", 5) == 1).all()
