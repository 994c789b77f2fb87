import pytest
import torch
from torch import nn

from genviz.classifiers.fitted_networks import SMALL, build, conv, empty, vonc
from genviz.errors import UserError


def numbers(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("make", "layers", "whole"), [
    (conv, [896, 9_248, 18_496, 36_928, 73_856, 147_584, 2_098_176, 1_025_000], 3_410_184),
    (vonc, [896, 18_496, 73_856, 147_584, 525_312, 1_025_000], 1_791_144),
])  # fmt: skip
def test_the_papers_numbers(make, layers, whole):
    """Réda & Xu 2018, section 2.3, and layer by layer."""
    network = make()
    assert numbers(network) == sum(layers) == whole
    assert [numbers(module) for module in network if numbers(module)] == layers
    assert network.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 1000)


def test_the_papers_order():
    """As their Keras layers follow each other, with the dropout rates."""

    def told(network):
        short = {nn.Conv2d: "c", nn.ReLU: "r", nn.MaxPool2d: "p", nn.Flatten: "f", nn.Linear: "d"}
        return " ".join(f"{part.p:g}" if isinstance(part, nn.Dropout) else short[type(part)] for part in network)

    block = "c r 0.2 c r p"
    assert told(conv()) == f"{block} {block} {block} f 0.2 d r 0.2 d"
    assert told(vonc()) == "c r c r p 0.25 c r p c r p 0.25 f d r 0.25 d"
    assert {module.padding for module in conv() if isinstance(module, nn.Conv2d)} == {(1, 1)}
    assert {module.padding for module in vonc() if isinstance(module, nn.Conv2d)} == {(0, 0)}


def test_weights_start_as_keras_draws_them():
    """Glorot & Bengio 2010, Eq. 16: uniform within sqrt(6 / (fan in + fan out))."""
    network = conv()
    weight = network.get_submodule("conv2_1").weight.detach()
    limit = (6 / (9 * 32 + 9 * 64)) ** 0.5
    assert 0.98 * limit < weight.abs().max() <= limit
    assert weight.std() == pytest.approx(limit / 3**0.5, rel=0.02)
    assert not network.get_submodule("conv2_1").bias.any()


def test_only_units_that_are_too_long_are_shortened():
    network = conv()
    dense = network.get_submodule("fc4").weight
    before = dense.detach().clone()
    with torch.no_grad():
        dense[3] *= 10 / dense[3].norm()
    network.constrain()
    assert dense[3].norm().item() == pytest.approx(3, rel=1e-6)
    others = torch.arange(len(dense)) != 3
    assert torch.equal(dense[others], before[others])
    free = vonc()
    weight = free.get_submodule("fc4").weight
    with torch.no_grad():
        weight[0] *= 1000
    free.constrain()
    assert weight[0].norm() > 100


@pytest.mark.parametrize("architecture", [*SMALL, "resnet18"])
def test_another_number_of_classes_and_pixels(architecture):
    network = build(architecture, 3, (48, 40)).eval()
    assert network(torch.rand(1, 3, 48, 40)).shape == (1, 3)
    likely = empty(architecture, 3, (48, 40)).state_dict()
    assert {name: value.shape for name, value in network.state_dict().items()} == {
        name: value.shape for name, value in likely.items()
    }


@pytest.mark.parametrize(("architecture", "size", "told"), [
    ("conf", (32, 32), "nearest: conv"), ("vonc", (20, 20), "too small"), ("resnet81", (32, 32), "resnet18"),
])  # fmt: skip
def test_one_line_for_what_cannot_be(architecture, size, told):
    with pytest.raises(UserError, match=told):
        build(architecture, 3, size)
