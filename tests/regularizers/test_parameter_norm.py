import pytest
import torch

from genviz.errors import UserError
from genviz.interfaces import Sample
from genviz.regularizers.parameter_norm import ParameterNorm


def sample(**parameters):
    return Sample(torch.zeros(2, 3, 4, 4), parameters)


def test_l1_of_gamma_by_hand():
    gamma = torch.tensor([[1.0, -2.0, 3.0], [0.0, 0.5, 0.0]])
    penalty = ParameterNorm(weight=0.01, parameter="gamma", order=1)
    torch.testing.assert_close(penalty(sample(gamma=gamma)), torch.tensor([6.0, 0.5]))
    assert penalty.weight == 0.01


def test_l2_of_the_gains_by_hand():
    gains = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    penalty = ParameterNorm(weight=0.1, parameter="gains", order=2)
    torch.testing.assert_close(penalty(sample(gains=gains)), torch.tensor([5.0, 2.0]))


def test_within_the_radius_nothing_is_penalized():
    gains = torch.tensor([[3.0, 4.0], [0.0, 2.0]], requires_grad=True)
    penalty = ParameterNorm(weight=10, parameter="gains", order=2, radius=3)(sample(gains=gains))
    torch.testing.assert_close(penalty, torch.tensor([2.0, 0.0]))
    penalty.sum().backward()
    torch.testing.assert_close(gains.grad, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_the_gradient_is_right():
    gains = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    penalty = ParameterNorm(weight=0.1, parameter="gains", order=2)
    assert torch.autograd.gradcheck(lambda g: penalty(sample(gains=g)), gains)


def test_a_parameter_that_the_generator_lacks_names_those_that_it_has():
    with pytest.raises(UserError, match="called 'gamma'.*it has: gains"):
        ParameterNorm(weight=1, parameter="gamma", order=1)(sample(gains=torch.ones(2, 5)))
