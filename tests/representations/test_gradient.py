import numpy as np
import pytest
import torch

from genviz.representations.gradient import Gradient, GreyLevels


def test_rgb_becomes_the_grey_of_matlab():
    levels = GreyLevels(colour=False, smallest=1)(torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1))
    assert levels.item() == pytest.approx(255 * (0.2989 * 0.2 + 0.5870 * 0.4 + 0.1140 * 0.6), abs=0.02)


def test_the_border_has_the_difference_from_its_neighbour_or_none():
    levels = torch.rand(1, 1, 5, 6, dtype=torch.float64)
    down, across = np.gradient(levels[0, 0].numpy())
    whole = Gradient("one-sided")(levels)[0]
    np.testing.assert_allclose(whole, np.stack([across, down]))
    inner = Gradient("zero")(levels)[0]
    torch.testing.assert_close(inner[:, 1:-1, 1:-1], whole[:, 1:-1, 1:-1])
    assert inner.abs().sum() == inner[:, 1:-1, 1:-1].abs().sum()
