import copy

import pytest
import torch
from torch import nn

from genviz.classifiers import winograd
from genviz.classifiers.tracing.receptive_field import receptive_fields
from genviz.classifiers.winograd import WinogradConvolution, quicken


@pytest.fixture
def every(monkeypatch):
    """Convolutions of any width are quickened, and of any precision; how often they were."""
    calls, original = [], winograd._convolve
    monkeypatch.setattr(winograd, "_NARROW", 0)
    monkeypatch.setattr(winograd, "_WIDE", 0)
    monkeypatch.setattr(winograd, "_convolve", lambda *a: calls.append(a) or original(*a))
    return calls


@pytest.fixture
def exact(every, monkeypatch):
    """In float64, with torch's own matrix product, since oneDNN has none."""
    monkeypatch.setattr(winograd, "_pays", lambda layer, input: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", lambda x, w, b, *_: nn.functional.linear(x, w, b))


def pair(*sizes, **settings):
    torch.manual_seed(0)
    layer = nn.Conv2d(*sizes, 3, padding=1, **settings).requires_grad_(False)
    quick = copy.deepcopy(layer)
    quicken(quick)
    assert type(quick) is WinogradConvolution
    return layer, quick


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2, 5, 6, 8), (1, 5, 2, 2), (3, 5, 4, 10)])
def test_it_is_torchs_and_so_is_its_gradient(exact, shape, bias, layout):
    layers = pair(5, 7, bias=bias, dtype=torch.double)
    maps = torch.randn(shape, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    results = []
    for layer in layers:
        out = layer(maps)
        weights = torch.arange(out.numel(), dtype=out.dtype).view(out.shape).sin()
        results.append((out, *torch.autograd.grad((out * weights).sum(), maps)))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_gradcheck(exact):
    _, layer = pair(2, 3, dtype=torch.double)
    maps = torch.randn(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, maps)
    assert torch.autograd.gradgradcheck(layer, maps)


def test_it_rounds_as_single_precision_does(every):
    direct, quick = pair(256, 256)
    maps, weights = torch.randn(1, 256, 8, 8).relu().requires_grad_(), torch.randn(1, 256, 8, 8)
    expected = direct.double()(wide := maps.detach().double().requires_grad_())
    found = quick(maps)
    slopes = torch.autograd.grad(found, maps, weights) + torch.autograd.grad(expected, wide, weights.double())
    assert len(every) == 2
    for ours, truth in ((found, expected), slopes):
        assert (ours - truth).norm() < 1e-6 * truth.norm()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [({}, (1, 4, 5, 6)), ({}, (1, 4, 6, 5)), ({"dtype": torch.double}, (1, 4, 6, 6)), ({}, (4, 6, 6))],
)
def test_what_it_is_not_for_is_left_to_torch(every, settings, shape):
    layer, quick = pair(4, 4, **settings)
    maps = torch.randn(shape, **settings)
    assert torch.equal(quick(maps), layer(maps))
    assert not every


def test_autocast_and_trained_weights_are_left_to_torch(every):
    layer, quick = pair(4, 4)
    maps = torch.randn(1, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quick(maps), layer(maps))
    quick.requires_grad_()(maps).sum().backward()
    assert quick.weight.grad is not None
    assert not every


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, padding=1, stride=2),
        nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.Conv2d(8, 8, 3, padding=2, dilation=2),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"), nn.Conv2d(8, 8, 5, padding=1), nn.Linear(8, 8),
    ],
)  # fmt: skip
def test_other_layers_stay_as_they_are(every, layer):
    kind = type(layer)
    quicken(nn.Sequential(layer))
    assert type(layer) is kind


def test_a_network_keeps_its_names_weights_and_hooks():
    network = nn.Sequential(nn.Conv2d(4, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 128, 3, padding=1))
    network.requires_grad_(False)
    state, seen = {name: value.clone() for name, value in network.state_dict().items()}, []
    network[2].register_forward_hook(lambda *a: seen.append(a[2]))
    expected, fields = network(maps := torch.randn(1, 4, 6, 6)), receptive_fields(network)
    quicken(network)
    assert [type(layer) for layer in network] == [nn.Conv2d, nn.ReLU, WinogradConvolution]
    torch.testing.assert_close(network(maps), expected)
    assert len(seen) == 2
    assert receptive_fields(network) == fields != {}
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_weights_are_lifted_once_until_they_are_others(every, monkeypatch):
    layer, quick = pair(4, 6)
    maps, lifted, original = torch.randn(1, 4, 6, 6), [], torch.einsum
    monkeypatch.setattr(torch, "einsum", lambda *a: lifted.append(1) or original(*a))
    with torch.inference_mode():
        quick(maps)
    quick(maps.requires_grad_()).sum().backward()
    assert len(lifted) == 1
    with torch.no_grad():
        layer.weight.mul_(2), quick.weight.mul_(2)
    torch.testing.assert_close(quick(maps), layer(maps))
    assert len(lifted) == 2
