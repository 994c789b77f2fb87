import pytest
import torch

from genviz.errors import UserError
from genviz.optimizers.steepest import Steepest


def made(gradient, **settings):
    x = torch.nn.Parameter(torch.zeros_like(gradient))
    return x, Steepest([x], **settings)


def test_a_step_is_the_gradients_sign():
    gradient = torch.tensor([[[[2.0, -0.1], [0.0, 3.0]]]])
    x, optimizer = made(gradient, lr=0.5)
    x.grad = gradient.clone()
    optimizer.step()
    assert x.tolist() == [[[[-0.5, 0.5], [0.0, -0.5]]]]


def test_or_the_gradient_with_a_norm_of_1_for_each_image():
    gradient = torch.randn(3, 3, 4, 4)
    x, optimizer = made(gradient, lr=torch.tensor([1.0, 2.0, 0.5]), norm="l2")
    x.grad = gradient.clone()
    optimizer.step()
    torch.testing.assert_close(x.flatten(1).norm(dim=1), torch.tensor([1.0, 2.0, 0.5]))
    torch.testing.assert_close(x[1] / 2, -gradient[1] / gradient[1].norm())


def test_momentum_is_that_of_dong():
    first, second = torch.randn(2, 2, 3, 4, 4)
    x, optimizer = made(first, lr=1.0, momentum=0.7)
    for gradient in (first, second):
        x.grad = gradient.clone()
        optimizer.step()
    mean = [g / g.abs().mean((1, 2, 3), keepdim=True) for g in (first, second)]
    torch.testing.assert_close(x, -(mean[0].sign() + (0.7 * mean[0] + mean[1]).sign()))


def test_its_state_is_saved():
    gradient = torch.randn(1, 3, 4, 4)
    x, optimizer = made(gradient, momentum=1.0)
    x.grad = gradient.clone()
    optimizer.step()
    other = Steepest([torch.nn.Parameter(x.detach().clone())], momentum=1.0)
    other.load_state_dict(optimizer.state_dict())
    assert torch.equal(next(iter(other.state.values()))["sum"], optimizer.state[x]["sum"])


def test_without_a_gradient_nothing_moves():
    x, optimizer = made(torch.zeros(1, 3, 2, 2), norm="l2", momentum=1.0)
    optimizer.step()
    x.grad = torch.zeros(1, 3, 2, 2)
    optimizer.step()
    assert not x.any()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lr": -1}, "lr=-1"),
        ({"lr": None}, "lr=null must be a number"),
        ({"lr": [0.1, 0.2]}, r"lr=\[0.1, 0.2\] must be"),
        ({"norm": "1"}, "linf or l2"),
        ({"momentum": -1}, "momentum=-1"),
    ],
)
def test_a_wrong_setting_is_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        made(torch.zeros(1), **settings)


@pytest.mark.parametrize("settings", [{"norm": "l2"}, {"momentum": 0.9}])
def test_it_takes_the_vectors_of_a_network(settings):
    x, optimizer = made(torch.randn(5), lr=0.1, **settings)
    x.grad = torch.tensor([1.0, -2.0, 3.0, -0.5, 4.0])
    optimizer.step()
    torch.testing.assert_close(x, -0.1 * x.grad.sign())
