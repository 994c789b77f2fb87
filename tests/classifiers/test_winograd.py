import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from genviz.classifiers import winograd
from genviz.classifiers.quick_convolution import quicken
from genviz.classifiers.winograd import WinogradConvolution


@pytest.fixture
def every(monkeypatch):
    """Convolutions of any width and maps from 2 x 2 on are quickened; the sizes of the tiles, call by call."""
    calls, original = [], winograd._convolve
    monkeypatch.setattr(winograd, "_NARROWEST", 0)
    monkeypatch.setattr(winograd, "_FEWEST", {4: 64, 2: 4})
    monkeypatch.setattr(winograd, "_convolve", lambda *a: calls.append(a[3]) or original(*a))
    return calls


@pytest.fixture(params=[2, 4])
def exact(request, every, monkeypatch):
    """In float64, by tiles of one size."""
    monkeypatch.setattr(WinogradConvolution, "tile_size", lambda layer, input: request.param)
    return request.param


def pair(*sizes, **settings):
    torch.manual_seed(0)
    layer = nn.Conv2d(*sizes, 3, padding=1, **settings).requires_grad_(False)
    quick = copy.deepcopy(layer)
    quicken(quick, WinogradConvolution)
    assert type(quick) is WinogradConvolution
    return layer, quick


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("shape", "strip"),
    [
        ((2, 5, 6, 8), 2**20), ((1, 5, 2, 2), 2**20), ((3, 5, 4, 10), 2**20), ((1, 5, 13, 9), 2**20),
        ((2, 5, 1, 3), 2**20), ((1, 5, 13, 9), 1), ((3, 5, 6, 8), 1), ((3, 5, 6, 8), 2000), ((2, 5, 25, 9), 2000),
    ],
)  # fmt: skip
def test_it_is_torchs_and_so_is_its_gradient(exact, shape, strip, bias, layout, monkeypatch):
    monkeypatch.setattr(winograd, "_STRIP", strip)
    layers = pair(5, 7, bias=bias, dtype=torch.double)
    maps = torch.randn(shape, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    results = []
    for layer in layers:
        out = layer(maps)
        weights = torch.arange(out.numel(), dtype=out.dtype).view(out.shape).sin()
        results.append((out, *torch.autograd.grad((out * weights).sum(), maps)))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        assert ours.is_contiguous(memory_format=torch.channels_last)


def test_gradcheck(exact):
    _, layer = pair(2, 3, dtype=torch.double)
    maps = torch.randn(1, 2, 4, 5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, maps)
    assert torch.autograd.gradgradcheck(layer, maps)


@pytest.mark.parametrize(("side", "size", "bound"), [(8, 2, 1e-6), (16, 4, 2e-6)])
def test_it_rounds_as_single_precision_does(side, size, bound, monkeypatch):
    calls, original = [], winograd._convolve
    monkeypatch.setattr(winograd, "_convolve", lambda *a: calls.append(a[3]) or original(*a))
    direct, quick = pair(256, 256)
    maps, weights = torch.randn(1, 256, side, side).relu().requires_grad_(), torch.randn(1, 256, side, side)
    expected = direct.double()(wide := maps.detach().double().requires_grad_())
    found = quick(maps)
    slopes = torch.autograd.grad(found, maps, weights) + torch.autograd.grad(expected, wide, weights.double())
    assert calls == [size, size]
    for ours, truth in ((found, expected), slopes):
        assert (ours - truth).norm() < bound * truth.norm()


@pytest.mark.parametrize(
    ("settings", "shape"),
    [({}, (1, 4, 3, 6)), ({}, (1, 4, 6, 3)), ({"dtype": torch.double}, (1, 4, 6, 6)), ({}, (4, 6, 6))],
)
def test_what_it_is_not_for_is_left_to_torch(every, settings, shape):
    layer, quick = pair(4, 4, **settings)
    maps = torch.randn(shape, **settings)
    assert torch.equal(quick(maps), layer(maps))
    assert not every


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 6, 6), 0), ((9, 7, 7), 0), ((1, 8, 8), 2), ((9, 14, 14), 2), ((1, 16, 16), 4), ((9, 16, 16), 4),
        ((1, 32, 8), 4), ((1, 99, 7), 2), ((1, 99, 3), 0),
    ],
)  # fmt: skip
def test_larger_maps_have_larger_tiles(shape, size):
    """By their positions, unless most of a tile would be padding; not by how many there are."""
    n, h, w = shape
    _, layer = pair(128, 128)
    assert layer.tile_size(torch.empty(n, 128, h, w)) == size


@pytest.mark.parametrize(("side", "share"), [(8, 16 / 36), (32, 36 / 144)])
def test_it_needs_fewer_products(side, share):
    """Those of the transforms included, which are the smaller part."""
    maps, counted = torch.randn(1, 256, side, side), []
    for layer in pair(256, 256):
        layer(maps)  # the weights are lifted once
        with FlopCounterMode(display=False) as counter:
            layer(maps)
        counted.append(counter.get_total_flops())
    direct, ours = counted
    assert share <= ours / direct < share + 0.1


@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (1, 4, 9, 8), (1, 4, 8, 9), (1, 4, 9, 9), (2, 4, 9, 8)])
def test_a_result_may_be_changed_in_place(every, shape):
    layer, quick = pair(4, 4)
    maps = torch.randn(shape, requires_grad=True)
    results = [torch.autograd.grad(torch.relu_(one(maps)).square().sum(), maps)[0] for one in (layer, quick)]
    torch.testing.assert_close(*results)
    assert every == [4, 4]


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
    quicken(nn.Sequential(layer), WinogradConvolution)
    assert type(layer) is kind


def test_each_size_of_tile_has_its_own_lifted_weights(every):
    layer, quick = pair(4, 4)
    for side in (8, 4, 8, 4):
        maps = torch.randn(1, 4, side, side)
        torch.testing.assert_close(quick(maps), layer(maps))
    assert every == [4, 2, 4, 2]


def test_a_picture_has_the_same_result_alone_and_in_a_batch(every):
    _, quick = pair(256, 256)
    maps = torch.randn(3, 256, 14, 14)
    torch.testing.assert_close(quick(maps)[:1], quick(maps[:1]), rtol=0, atol=0)


def test_under_autocast_it_is_left_to_torch_and_its_gradient_stays_in_single_precision(every):
    layer, quick = pair(4, 4)
    maps = torch.randn(1, 4, 8, 8, requires_grad=True)
    out = quick(maps)
    with torch.autocast("cpu", torch.bfloat16):
        (slope,) = torch.autograd.grad(out.square().sum(), maps)
        assert quick(maps).dtype == torch.bfloat16
    torch.testing.assert_close(slope, torch.autograd.grad(layer(maps).square().sum(), maps)[0])
    assert every == [4, 4]


def test_trained_weights_are_left_to_torch(every):
    for name in ("weight", "bias"):
        _, quick = pair(4, 4)
        getattr(quick, name).requires_grad_()
        quick(torch.randn(1, 4, 8, 8)).sum().backward()
        assert getattr(quick, name).grad is not None
    assert not every


def test_copies_do_not_hold_the_lifted_weights(every):
    _, quick = pair(4, 4)
    maps = torch.randn(1, 4, 8, 8)
    expected = quick(maps)
    copied = copy.deepcopy(quick)
    assert quick._kept is not None
    assert copied._kept is None
    assert torch.equal(copied(maps), expected)


def test_fake_tensors_are_left_to_torch(every):
    _, quick = pair(4, 4)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert quick(torch.empty(1, 4, 8, 8)).shape == (1, 4, 8, 8)
    assert not every


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
