from collections import OrderedDict

import pytest
import torch
import torchvision
from torch import nn

from genviz.classifiers.tracing.taps import OUTPUT, look
from genviz.errors import UserError


class Counting(nn.Module):
    """Notes that it was computed."""

    def __init__(self, module):
        super().__init__()
        self.module, self.calls = module, 0

    def forward(self, x):
        self.calls += 1
        return self.module(x)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), Counting(nn.Conv2d(4, 5, 3)), nn.ReLU(inplace=True))


def test_a_convolution_is_seen_before_the_relu_in_place():
    net, x = network(), torch.randn(1, 3, 8, 8)
    seen = look(net, x, ["0", "1"])
    expected = nn.functional.conv2d(x, net[0].weight, net[0].bias)
    torch.testing.assert_close(seen["0"], expected)
    torch.testing.assert_close(seen["1"], expected.relu())
    assert (seen["0"] < 0).any()


def test_what_goes_into_a_relu_is_seen_as_it_is():
    net, x = network(), torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(look(net, x, ["1.input", "1"])["1.input"], net[0](x))


def test_the_network_goes_on_with_what_a_part_makes_of_a_layer():
    net, x = network(), torch.randn(1, 3, 8, 8)
    seen = look(net, x, ["0", "1"], output=True, parts={"0": lambda value: -value, "3.input": lambda value: value + 1})
    torch.testing.assert_close(seen["0"], net[0](x))
    torch.testing.assert_close(seen["1"], (-net[0](x)).relu())
    torch.testing.assert_close(seen[OUTPUT], (net[2].module((-net[0](x)).relu()) + 1).relu())


def test_nothing_past_the_deepest_tap_is_computed():
    net, x = network(), torch.randn(1, 3, 8, 8)
    look(net, x, ["1"])
    assert net[2].calls == 0
    look(net, x, ["1"], output=True)
    assert net[2].calls == 1


def test_the_taps_change_nothing():
    net, x = network(), torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(look(net, x, ["0", "1.input", "2"], output=True)[OUTPUT], net(x))


def test_negative_activations_have_a_gradient():
    net, x = network(), torch.randn(1, 3, 8, 8, requires_grad=True)
    seen = look(net, x, ["0"], output=True)
    (seen["0"].clamp(max=0).sum() + seen[OUTPUT].sum()).backward()
    assert x.grad.abs().sum() > 0


def test_each_call_of_a_shared_module_has_its_own_tap():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(3, 4, 1), relu, nn.Conv2d(4, 4, 1), relu)
    x = torch.randn(1, 3, 4, 4)
    seen = look(net, x, ["1_1", "1"])
    torch.testing.assert_close(seen["1"], net[0](x).relu())
    torch.testing.assert_close(seen["1_1"], net(x))


def test_no_hook_stays():
    net = network()
    look(net, torch.randn(1, 3, 8, 8), ["0"])
    with pytest.raises(RuntimeError):
        look(net, torch.randn(1, 7, 8, 8), ["0"])  # not even after an error
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize("architecture", ["resnet18", "googlenet", "densenet121", "mobilenet_v3_small"])
def test_sums_and_functional_relus_in_place_do_not_reach_what_was_seen(architecture):
    kwargs = {"aux_logits": False, "init_weights": True} if architecture == "googlenet" else {}
    torch.manual_seed(0)
    net = torchvision.models.get_model(architecture, weights=None, **kwargs).eval()
    x = torch.randn(1, 3, 64, 64)
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.BatchNorm2d)][:12]
    at_once: dict[str, torch.Tensor] = {}
    handles = [
        net.get_submodule(name).register_forward_hook(lambda m, a, out, name=name: at_once.update({name: out.clone()}))
        for name in norms
    ]
    with torch.no_grad():
        net(x)
        for handle in handles:
            handle.remove()
        seen = look(net, x, norms, output=True)
    for name in norms:
        torch.testing.assert_close(seen[name], at_once[name])


class Colliding(nn.Module):
    """``conv`` is called twice beside a module that is named as its second call would be."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.conv_1 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 5, 1)
        self.stem = nn.Sequential(OrderedDict(input=nn.Conv2d(5, 6, 1)))

    def forward(self, x):
        return self.stem(self.conv_1(self.conv(self.conv(x))))


def test_a_second_call_is_not_the_module_of_that_name():
    net, x = Colliding(), torch.randn(1, 3, 4, 4)
    seen = look(net, x, ["conv", "conv-1", "conv_1", "stem.input", "stem.input.input"])
    torch.testing.assert_close(seen["conv"], net.conv(x))
    torch.testing.assert_close(seen["conv-1"], net.conv(net.conv(x)))
    torch.testing.assert_close(seen["conv_1"], net.conv_1(net.conv(net.conv(x))))
    torch.testing.assert_close(seen["stem.input"], net(x))  # the module of that name, not what goes into the stem
    torch.testing.assert_close(seen["stem.input.input"], seen["conv_1"])
    with pytest.raises(UserError, match="no layer nope"):
        look(net, x, ["nope"])
    with pytest.raises(UserError, match="did not compute conv_7"):
        look(net, x, ["conv_7"])


def test_a_network_that_catches_everything_does_not_go_on_past_the_deepest_tap():
    class Catching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            try:
                return self.conv(x)
            except Exception:
                return self.other(x)

    net, x = Catching(), torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(look(net, x, ["conv"])["conv"], net.conv(x))


class Keywords(nn.Module):
    """Calls its modules by keywords, and takes the first part of what one returns."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.part, self.conv = Part(), nn.Conv2d(4, 5, 1)

    def forward(self, x):
        return self.conv(input=self.part(maps=x)[0])


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, *, maps):
        return self.conv(input=maps), None


def test_arguments_may_be_keywords_and_outputs_tuples():
    net, x = Keywords(), torch.randn(1, 3, 4, 4)
    seen = look(net, x, ["part", "conv.input", "part.input"], output=True)
    torch.testing.assert_close(seen["part"], net.part.conv(x))
    torch.testing.assert_close(seen["conv.input"], seen["part"])
    torch.testing.assert_close(seen["part.input"], x)
    changed = look(net, x, [], output=True, parts={"part": torch.zeros_like, "conv.input": lambda value: value + 1})
    torch.testing.assert_close(changed[OUTPUT], net.conv(torch.ones_like(seen["part"])))


class Refusing(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error, self.conv = error, nn.Conv2d(3, 4, 1)

    def forward(self, x):
        if x.std() == 0:
            raise self.error
        return self.conv(x)


@pytest.mark.parametrize("error", [AssertionError("a flat picture\nhere"), ValueError("a flat picture")])
def test_a_picture_that_the_network_refuses_is_one_line(error):
    with pytest.raises(UserError, match="does not take this picture: a flat picture$"):
        look(Refusing(error), torch.zeros(1, 3, 4, 4), ["conv"])


def test_looking_does_not_list_every_module(monkeypatch):
    network, images = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten()), torch.rand(1, 3, 8, 8)
    listed = []
    monkeypatch.setattr(nn.Module, "named_modules", lambda *_, **__: listed.append(1) or iter(()))
    assert look(network, images, ["0", "1.input"], output=True).keys() == {"0", "1.input", OUTPUT}
    assert not listed


def test_a_module_in_two_places_is_seen_under_either_name():
    network, images = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()), torch.rand(1, 3, 8, 8)
    network.add_module("again", network[0])
    seen = look(network, images, ["0", "again_1"], output=True)
    assert torch.equal(seen["again_1"], seen[OUTPUT])
    assert seen["0"].shape == (1, 3, 6, 6)
