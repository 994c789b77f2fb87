import threading

import pytest
import torch
from odd_networks import Odd, plain
from torch import nn
from torch.nn.utils import parametrizations, prune

from genviz.classifiers.from_module import from_module
from genviz.classifiers.tracing.copies import copied

IMAGES = torch.rand(2, 3, 8, 8)


def normalized(by):
    network = plain()
    by(network[0])
    network(IMAGES)
    return network


def caching():
    def does(net, x):
        net.last = net.net[:3](x)
        net.kept.append({"maps": [net.last]})
        return net.net[3:](net.last)

    network = Odd(does, net=plain())
    network.kept = []
    network(IMAGES)
    return network


def holding(what):
    network = plain()
    network.thing = what
    return network


def compiled(how):
    network = plain()
    if how == "child":
        network[0] = torch.compile(network[0])
    elif how == "forward":
        network.forward = torch.compile(network.forward)
    elif how == "in place":
        network.compile()
    return torch.compile(network) if how == "whole" else network


MADE = {
    "weight_norm": lambda: normalized(nn.utils.weight_norm),
    "parametrized weight_norm": lambda: normalized(parametrizations.weight_norm),
    "spectral_norm": lambda: normalized(nn.utils.spectral_norm),
    "parametrized spectral_norm": lambda: normalized(parametrizations.spectral_norm),
    "pruned": lambda: normalized(lambda module: prune.l1_unstructured(module, "weight", 0.5)),
    "caching": caching,
    "lock": lambda: holding(threading.Lock()),
    "generator": lambda: holding(number for number in range(3)),
    "in parallel": lambda: nn.DataParallel(plain()),
    **{f"compiled {how}": (lambda how=how: compiled(how)) for how in ("whole", "child", "forward", "in place")},
}


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_network_is_copied_with_its_own_layer_names(kind):
    network = MADE[kind]().eval()
    made = copied(network).eval()
    own = plain() if "compiled" in kind else network  # which need not be compiled to know what it computes
    torch.testing.assert_close(made(IMAGES), own(IMAGES), rtol=1e-4, atol=1e-5)
    names = {layer.name for layer in from_module(network, input_size=8).outline.layers}
    assert names >= ({"net.0", "net.2"} if kind == "caching" else {"0", "1", "2", "5"})
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert all(parameter.any() for parameter in network.parameters())


def test_a_buffer_may_be_none_and_a_state_may_hold_more_than_tensors():
    class More(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = plain()
            self.register_buffer("nothing", None)

        def get_extra_state(self):
            return {"a": 1}

        def set_extra_state(self, state):
            pass

        def forward(self, x):
            return self.net(x)

    assert from_module(More(), input_size=8).weights_sha256 == from_module(More(), input_size=8).weights_sha256
