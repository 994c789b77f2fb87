import pytest
import torch
from torch import nn

from genviz.generators.frozen_convolution import FrozenConvolution


@pytest.fixture
def pair():
    torch.manual_seed(0)
    frozen, plain = FrozenConvolution(3, 4, (2, 3)), nn.Conv2d(3, 4, (2, 3))
    plain.load_state_dict(frozen.state_dict())
    return frozen.requires_grad_(False), plain.requires_grad_(False)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("automatic", [False, True])
def test_it_is_torchs_and_so_is_its_gradient(pair, layout, automatic):
    images = torch.randn(2, 3, 6, 7).contiguous(memory_format=layout)
    weights = torch.randn(2, 4, 5, 5)
    results = []
    for layer in pair:
        entering = images.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=automatic):
            out = layer(entering)
        (out.float() * weights).sum().backward()
        results.append((out, entering.grad))
    for ours, theirs in zip(*results, strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("groups", [1, 2])
def test_gradcheck(groups):
    layer = FrozenConvolution(2, 4, 3, groups=groups).double().requires_grad_(False)
    maps = torch.randn(1, 2, 5, 5, dtype=torch.double)
    torch.testing.assert_close(layer(maps), torch.nn.functional.conv2d(maps, layer.weight, layer.bias, groups=groups))
    assert torch.autograd.gradcheck(layer, torch.randn(1, 2, 5, 5, dtype=torch.double, requires_grad=True))
