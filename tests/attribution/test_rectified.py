"""Against a slow derivation by hand, captum on plain networks, and networks whose answer is known on paper."""

import pytest
import torch
import torch.nn.functional as F
from captum.attr import Deconvolution, GuidedBackprop
from torch import nn

from genviz.attribution.rectified import deconvnet, guided_backpropagation
from genviz.errors import UserError

RULES = {
    deconvnet: lambda arrived, output: arrived.clamp_min(0),
    guided_backpropagation: lambda arrived, output: arrived.clamp_min(0) * (output > 0),
}
both = pytest.mark.parametrize("method", list(RULES), ids=lambda method: method.__name__)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 6, 3, stride=2), nn.Conv2d(6, 6, 3)
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(3))
        self.pool, self.head = nn.MaxPool2d(2), nn.Linear(6, 4)

    def forward(self, images):
        maps = self.pool(self.relus[0](self.first(images)))
        maps = self.relus[2](self.third(self.relus[1](self.second(maps))))
        return self.head(maps.mean((2, 3)))


class InPlace(Plain):
    """The same network with one in-place ReLU for all places, a functional one, and a clamp."""

    def __init__(self):
        super().__init__()
        self.again = nn.ReLU(inplace=True)

    def forward(self, images):
        maps = self.pool(self.again(self.first(images)))
        maps = F.relu(self.third(self.second(maps).clamp(min=0)), inplace=True)
        return self.head(maps.mean((2, 3)))


def networks():
    torch.manual_seed(0)
    plain, odd = Plain().double(), InPlace().double()
    odd.load_state_dict(plain.state_dict())
    return plain.requires_grad_(False), odd.requires_grad_(False)


def by_hand(network, images, number, rule):
    """The signal that each layer passes down, computed layer by layer without autograd's graph of the whole."""
    outputs = [images]
    steps = [
        *(network.first, F.relu, network.pool, network.second, F.relu, network.third, F.relu),
        *(lambda maps: maps.mean((2, 3)), network.head),
    ]
    for step in steps:
        outputs.append(step(outputs[-1]))
    signal = torch.zeros_like(outputs[-1])
    signal[:, number] = 1
    for step, given, made in zip(reversed(steps), reversed(outputs[:-1]), reversed(outputs[1:]), strict=True):
        if step is F.relu:
            signal = rule(signal, made)
        else:
            given = given.clone().requires_grad_()
            (signal,) = torch.autograd.grad(step(given), given, signal)
    return signal


@both
def test_it_is_the_derivation_by_hand_and_captums(method):
    plain, odd = networks()
    images = torch.randn(2, 3, 20, 20, dtype=torch.double)
    expected = by_hand(plain, images, 1, RULES[method])
    assert expected.abs().amax() > 1e-4
    for network in (plain, odd):
        torch.testing.assert_close(method(lambda some: network(some)[:, 1], images), expected, rtol=0, atol=1e-12)  # noqa: B023
    captums = {deconvnet: Deconvolution, guided_backpropagation: GuidedBackprop}[method](plain)
    torch.testing.assert_close(captums.attribute(images.clone().requires_grad_(), target=1), expected)


class OnViews(Plain):
    """The same network with its ReLUs in place and on views, where autograd's graph does not show them."""

    def forward(self, images):
        maps = self.first(images)
        F.relu_(maps.flatten(1))
        maps = self.second(self.pool(maps))
        upper, lower = maps[:, :3], maps[:, 3:]
        upper.clamp_(min=0)
        nn.ReLU(inplace=True)(lower)
        maps = self.third(maps)
        nn.Threshold(0.0, 0.0, inplace=True)(maps.transpose(2, 3))
        return self.head(maps.mean((2, 3)))


@both
def test_relus_in_place_on_views_count(method):
    plain, _ = networks()
    odd = OnViews().double()
    odd.load_state_dict(plain.state_dict())
    images = torch.rand(2, 3, 24, 24, dtype=torch.float64)
    expected, found = (method(lambda some, n=network: n(some)[:, 2], images) for network in (plain, odd))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


@both
def test_scripted_networks_too(method):
    plain, odd = networks()
    images = torch.randn(1, 3, 20, 20, dtype=torch.double)
    scripted = torch.jit.trace(odd, images)
    for _ in range(3):  # the graph is optimized at the second call
        found = method(lambda some: scripted(some)[:, 2], images)
        torch.testing.assert_close(found, by_hand(plain, images, 2, RULES[method]), rtol=0, atol=1e-12)


def test_a_network_whose_answers_are_known():
    """Two units from one pixel, 1 and -1 times it, weighted with 3 and -2: f = 3 relu(x) - 2 relu(-x)."""

    def score(images):
        pixel = images.mean((1, 2, 3))
        return 3 * pixel.relu() - 2 * (-pixel).relu()

    above, below = torch.full((1, 3, 1, 1), 0.5), torch.full((1, 3, 1, 1), -0.5)
    third = torch.ones(1, 3, 1, 1) / 3
    torch.testing.assert_close(guided_backpropagation(score, above), 3 * third)
    torch.testing.assert_close(guided_backpropagation(score, below), 0 * third)  # -2 arrives, and is not passed
    torch.testing.assert_close(deconvnet(score, above), 3 * third)
    torch.testing.assert_close(deconvnet(score, below), 3 * third)  # whether the unit fired does not matter


def test_the_network_is_left_as_it_was():
    plain, _ = networks()
    images = torch.randn(1, 3, 20, 20, dtype=torch.double)

    def gradient():
        leaf = images.clone().requires_grad_()
        return torch.autograd.grad(plain(leaf)[:, 1].sum(), leaf)[0]

    before = gradient()
    guided_backpropagation(lambda some: plain(some)[:, 1], images)
    assert torch.equal(gradient(), before)
    assert not any(module._backward_hooks or module._forward_hooks for module in plain.modules())


@both
def test_without_a_relu_it_is_one_line(method):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(UserError, match="no ReLU on the way"):
        method(lambda some: network(some)[:, 0], torch.rand(1, 3, 3, 3))


@pytest.mark.parametrize(
    ("clip", "counts"),
    [
        (lambda maps: maps.clamp(0, 1), False),
        (lambda maps: maps.clamp(min=1e-6), False),
        (lambda maps: maps.clamp_min(0), True),
        (lambda maps: maps.clamp(0, 6), True),
        (F.relu6, True),
        (nn.ReLU6(inplace=True), True),
        (nn.Threshold(0, 0), True),
        (lambda maps: maps.relu_(), True),
    ],
)
def test_what_is_a_relu(clip, counts):
    """What arrives is negative, so that a ReLU passes nothing back, and anything else does."""
    images = torch.full((1, 3, 2, 2), 0.5)

    def score(some):
        return -clip(some.double()).sum((1, 2, 3)) + some.relu().sum((1, 2, 3))

    found = guided_backpropagation(score, images)
    torch.testing.assert_close(found, torch.full_like(images, 1.0 if counts else 0.0))
