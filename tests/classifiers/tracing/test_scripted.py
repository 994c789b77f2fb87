import pytest
import torch
from odd_networks import Odd, plain
from torch import nn

from genviz.analysis.visualization import visualize
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError

IMAGES = torch.rand(2, 3, 8, 8)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = plain()

    def forward(self, x):
        return self.net(x)


@pytest.mark.parametrize("make", [torch.jit.script, lambda net: torch.jit.trace(net, IMAGES)])
def test_the_layers_of_a_scripted_sequential_can_be_named(make):
    network = plain().eval()
    classifier = from_module(make(network), input_size=8)
    layers = {layer.name: layer for layer in classifier.outline.layers}
    assert (list(layers)[:3], layers["2"].shape, layers["2"].axis) == (["0", "1", "2"], (6, 8, 8), 1)
    own = from_module(network, input_size=8)
    for name in ("2", "scores"):
        torch.testing.assert_close(classifier(IMAGES, [name])[name], own(IMAGES, [name])[name], rtol=1e-4, atol=1e-5)


def test_a_scripted_part_is_a_layer():
    network = Odd(lambda net, x: net.head(net.part(x)), part=torch.jit.script(Whole()), head=nn.Linear(4, 3))
    names = [layer.name for layer in from_module(network, input_size=8).outline.layers]
    assert names == ["part", "head", "scores"]


@pytest.mark.parametrize(
    ("make", "closed"), [(torch.jit.script, True), (lambda net: torch.jit.freeze(torch.jit.script(net.eval())), False)]
)
def test_of_other_scripted_networks_the_classes_can_be_seen_and_the_reason_is_said(make, closed):
    classifier = from_module(make(Whole()), input_size=8)
    seen = visualize(classifier, "class:1", updates=1, accelerator="cpu")
    assert len(seen.metrics) == 1
    assert bool(classifier.outline.hidden) is closed  # a frozen one has nothing inside
    says = "the network is scripted, and what is inside cannot be read" if closed else "no layer is called .net.0."
    with pytest.raises(UserError, match=says):
        visualize(classifier, "filter:net.0:1", updates=1, accelerator="cpu")
