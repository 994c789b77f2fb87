import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.classifiers import pointwise
from genviz.classifiers.pointwise import PointwiseConvolution
from genviz.classifiers.quick_convolution import quicken


@pytest.fixture
def products(monkeypatch):
    """Layers of any size are quickened; the shapes of the maps, product by product."""
    shapes, original = [], F.linear
    monkeypatch.setattr(pointwise, "_WEIGHTS", 0)
    monkeypatch.setattr(F, "linear", lambda maps, *rest: shapes.append(tuple(maps.shape)) or original(maps, *rest))
    return shapes


def pair(*sizes, **settings):
    layer = nn.Conv2d(*sizes, 1, **settings).requires_grad_(False)
    quick = copy.deepcopy(layer)
    quicken(quick, PointwiseConvolution)
    assert type(quick) is PointwiseConvolution
    return layer, quick


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("padding", [0, "same", "valid"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(2, 5, 6, 8), (1, 5, 1, 1), (9, 5, 20, 10)])
def test_it_is_torchs_and_so_is_its_gradient(products, shape, bias, padding, layout):
    layers = pair(5, 7, bias=bias, padding=padding)
    for layer in layers:
        layer.to(memory_format=layout)
    maps = torch.randn(shape).contiguous(memory_format=layout).requires_grad_()
    results = []
    for layer in layers:
        out = layer(maps)
        weights = torch.arange(out.numel(), dtype=out.dtype).view(out.shape).sin()
        results.append((out, *torch.autograd.grad((out * weights).sum(), maps)))
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
        assert ours.is_contiguous(memory_format=torch.channels_last)
    assert len(products) == 1


def test_larger_maps_and_doubles_are_left_to_torch(products):
    layer, quick = pair(4, 4)
    for maps in (torch.randn(1, 4, 20, 21), torch.randn(4, 6, 6)):
        assert torch.equal(quick(maps), layer(maps))
    maps = torch.randn(1, 4, 6, 6).double()
    assert torch.equal(quick.double()(maps), layer.double()(maps))
    assert not products


def test_autocast_and_trained_weights_are_left_to_torch(products):
    layer, quick = pair(4, 4)
    maps = torch.randn(1, 4, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quick(maps), layer(maps))
    quick.bias.requires_grad_()
    quick(maps).sum().backward()
    assert quick.bias.grad is not None
    assert not products


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 1, stride=2), nn.Conv2d(8, 8, 1, padding=1), nn.Conv2d(8, 8, 1, groups=2),
        nn.Conv1d(8, 8, 1), nn.Linear(8, 8),
    ],
)  # fmt: skip
def test_other_layers_stay_as_they_are(products, layer):
    kind = type(layer)
    quicken(nn.Sequential(layer), PointwiseConvolution)
    assert type(layer) is kind


def test_few_weights_stay_as_they_are():
    network = nn.Sequential(nn.Conv2d(512, 511, 1), nn.Conv2d(512, 512, 1))
    quicken(network, PointwiseConvolution)
    assert [type(layer) for layer in network] == [nn.Conv2d, PointwiseConvolution]


def test_a_result_may_be_changed_in_place(products):
    layers = pair(4, 4)
    maps = torch.randn(1, 4, 6, 6, requires_grad=True)
    results = [torch.autograd.grad(torch.relu_(one(maps)).square().sum(), maps)[0] for one in layers]
    torch.testing.assert_close(*results)
    assert len(products) == 1
