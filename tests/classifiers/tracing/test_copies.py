import threading
import warnings
import weakref

import pytest
import torch
from odd_networks import Odd, plain
from torch import nn
from torch.nn.utils import parametrizations, prune

from genviz.classifiers.from_module import from_module
from genviz.classifiers.tracing.copies import copied
from genviz.errors import UserError

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


def function_of_itself(how):
    network = Odd(lambda net, x: net.calls["it"][0](x), net=plain())
    inside = network.net
    of_itself = {
        "a closure": lambda x: network.net(x),
        "a closure over a part": lambda x: inside(x),
        "a default": lambda x, part=inside: part(x),
        "a weak reference": weakref.ref(inside),
    }[how]
    network.calls = {"it": [of_itself]}
    if how == "a weak reference":
        network.does = lambda net, x: net.calls["it"][0]()(x)
    return network


@pytest.mark.parametrize("how", ["a closure", "a closure over a part", "a default", "a weak reference"])
def test_a_copy_computes_with_its_own_modules_even_in_functions(how):
    network = function_of_itself(how).train()
    network.net.register_forward_pre_hook(lambda *_: pytest.fail("the original is called"))
    assert "net.0" in {layer.name for layer in from_module(network, input_size=8).outline.layers}
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_hooks_that_are_left_out_are_told():
    network = plain()
    network[0].register_forward_hook(lambda _module, _given, output: 3 * output)
    with pytest.warns(UserWarning, match=r"forward hooks are not copied \(those of 0\); what they change is not seen"):
        from_module(network, input_size=8)
    network = plain()
    network[0].register_full_backward_hook(lambda *_: None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_module(network, input_size=8)


def test_what_returns_itself_as_its_copy_is_refused():
    network = plain()
    network.__class__ = type("Single", (nn.Sequential,), {"__deepcopy__": lambda self, memo: self})
    with pytest.raises(UserError, match="returns itself"):
        copied(network)
    assert all(parameter.requires_grad for parameter in network.parameters())


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
