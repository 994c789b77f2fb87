import pytest
import torch

from genviz.errors import UserError
from genviz.optimizers.normalized_ascent import NormalizedAscent


def test_it_is_deepdreams_step():
    """src.data += step_size / abs(g).mean() * g, for each image by itself (Kocur 2021); g is that of the score."""
    start, gradient = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    x = torch.nn.Parameter(start.clone())
    x.grad = -gradient  # the loss is the negative score
    NormalizedAscent([x], lr=1.5).step()
    for number in range(2):
        g = gradient[number]
        torch.testing.assert_close(x[number], start[number] + 1.5 / g.abs().mean() * g)


def test_a_parameter_with_one_number_an_image_takes_steps_too():
    """As a generator's biases have."""
    x = torch.nn.Parameter(torch.zeros(3))
    x.grad = torch.tensor([2.0, -0.5, 0.0])
    NormalizedAscent([x], lr=1.5).step()
    assert x.tolist() == [-1.5, 1.5, 0.0]


def test_without_a_gradient_nothing_moves():
    x, y = torch.nn.Parameter(torch.ones(1, 3)), torch.nn.Parameter(torch.ones(1, 3))
    x.grad = torch.zeros(1, 3)
    NormalizedAscent([x, y]).step()
    assert (x == 1).all()
    assert (y == 1).all()


def test_a_step_has_a_length():
    with pytest.raises(UserError, match="above 0"):
        NormalizedAscent([torch.nn.Parameter(torch.ones(1))], lr=0)
