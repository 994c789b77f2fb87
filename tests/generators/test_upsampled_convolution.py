import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.generators import upsampled_convolution
from genviz.generators.upsampled_convolution import FrozenUpsampledConvolution, Upsample, UpsampledConvolution


def plainly(layer, maps):
    """As the paper has it: each pixel four times, then the convolution."""
    return F.conv2d(maps.repeat_interleave(2, 2).repeat_interleave(2, 3), layer.weight, layer.bias, groups=layer.groups)


@pytest.fixture
def transposed(monkeypatch):
    """The fast way at every size; how often it was gone."""
    calls, original = [], F.conv_transpose2d
    monkeypatch.setattr(upsampled_convolution, "_POSITIONS", 0)
    monkeypatch.setattr(F, "conv_transpose2d", lambda *a, **k: calls.append(1) or original(*a, **k))
    return calls


def compare(layer, maps):
    """Results and all gradients, to 1e-12 of float64."""
    torch.manual_seed(0)
    maps = maps.double().requires_grad_()
    expected, found = plainly(layer, maps), layer(Upsample()(maps))
    weights = torch.randn_like(expected)
    inputs = [maps, *(parameter for parameter in layer.parameters() if parameter.requires_grad)]
    gradients = [torch.autograd.grad((result * weights).sum(), inputs) for result in (expected, found)]
    for theirs, ours in zip((expected, *gradients[0]), (found, *gradients[1]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, (2, 3), (1, 4)])
@pytest.mark.parametrize("kind", [UpsampledConvolution, FrozenUpsampledConvolution])
def test_it_is_an_upsampling_and_a_convolution(transposed, kind, kernel, groups, layout):
    layer = kind(6, 9, kernel, groups=groups).double()
    layer.requires_grad_(kind is UpsampledConvolution)
    for size in ((5, 5), (3, 4), (6, 3)):
        compare(layer, torch.randn(2, 6, *size).contiguous(memory_format=layout))
    assert len(transposed) == (0 if 1 in layer.kernel_size else 3)


def test_the_smallest_map_there_can_be(transposed):
    for kernel, side in ((1, 1), (2, 1), (3, 2), (4, 2), (5, 3)):
        layer = UpsampledConvolution(2, 3, kernel, bias=False).double()
        compare(layer, torch.randn(1, 2, side, side))
        assert layer(torch.ones(1, 2, side, side).double()).shape[2:] == (2 * side - kernel + 1,) * 2


def test_which_way_depends_on_the_size_of_the_map_alone(monkeypatch):
    original, calls = F.conv_transpose2d, []
    monkeypatch.setattr(F, "conv_transpose2d", lambda *a, **k: calls.append(a[0].shape) or original(*a, **k))
    layer = UpsampledConvolution(2, 3, 3).double()
    for shape in ((1, 2, 9, 14), (1, 2, 8, 16), (2, 2, 8, 8)):
        compare(layer, torch.randn(shape))
    assert calls == [(1, 2, 8, 16)]


@pytest.mark.parametrize("kind", [UpsampledConvolution, FrozenUpsampledConvolution])
def test_gradcheck(transposed, kind):
    layer = kind(2, 2, 3).double().requires_grad_(kind is UpsampledConvolution)
    maps = torch.randn(1, 2, 3, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda maps, *_: layer(maps), (maps, *layer.parameters()))
    if kind is UpsampledConvolution:
        assert torch.autograd.gradgradcheck(lambda maps, *_: layer(maps), (maps, *layer.parameters()))


@pytest.mark.parametrize("kind", [UpsampledConvolution, FrozenUpsampledConvolution])
def test_single_precision_is_as_near_to_the_truth_as_torchs(transposed, kind):
    torch.manual_seed(0)
    layer, maps = kind(64, 8, 4), torch.randn(1, 64, 20, 20)
    with torch.no_grad():
        truth = plainly(copy.deepcopy(layer).double(), maps.double())
        ours, theirs = ((how - truth).square().mean() for how in (layer(maps), plainly(layer, maps)))
    assert ours < 2 * theirs


@pytest.mark.parametrize("kind", [UpsampledConvolution, FrozenUpsampledConvolution])
def test_autocast_is_left_to_torch(transposed, kind):
    layer, maps = kind(3, 4, 3), torch.randn(1, 3, 12, 12, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = layer(maps), plainly(layer, maps)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    assert maps.grad.dtype == torch.float32
    assert not transposed


def test_parameters_and_their_first_values_are_those_of_a_convolution():
    layers = []
    for kind in (nn.Conv2d, UpsampledConvolution, FrozenUpsampledConvolution):
        torch.manual_seed(0)
        layers.append(kind(4, 6, 3, groups=2).state_dict())
    assert all(state.keys() == layers[0].keys() for state in layers)
    assert all(torch.equal(state[name], layers[0][name]) for state in layers for name in state)


def test_frozen_weights_are_turned_once_until_they_are_others(monkeypatch):
    layer, maps = FrozenUpsampledConvolution(2, 3, 3).requires_grad_(False), torch.randn(1, 2, 4, 4)
    turned, original = [], upsampled_convolution._turned
    monkeypatch.setattr(upsampled_convolution, "_turned", lambda *a: turned.append(1) or original(*a))
    with torch.inference_mode():
        layer(maps)
    layer(maps.requires_grad_()).sum().backward()
    assert len(turned) == 1
    layer.load_state_dict(nn.Conv2d(2, 3, 3).state_dict())
    torch.testing.assert_close(layer(maps), plainly(layer, maps))
    copied = copy.deepcopy(layer).double()
    torch.testing.assert_close(copied(maps.double()), plainly(copied, maps.double()))
    assert layer.state_dict().keys() == {"weight", "bias"}


def test_frozen_nothing_is_kept_but_the_weights(transposed):
    layer, kept = FrozenUpsampledConvolution(2, 3, 3).requires_grad_(False), []
    maps = torch.randn(1, 2, 4, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layer(maps)
    assert [tensor.shape for tensor in kept] == [(2, 3, 3, 3)]
