import pytest
import torch
from torch import nn

import genviz
from genviz.classifiers.pointwise import PointwiseConvolution
from genviz.classifiers.quick_convolution import QuickConvolution, quicken
from genviz.classifiers.tracing.receptive_field import receptive_fields
from genviz.classifiers.winograd import WinogradConvolution
from genviz.interfaces import SCORES

MAPS = torch.zeros(1, 4, 8, 8)


class Marked(QuickConvolution):
    """Squares have 1 for a result, where the own way applies."""

    @staticmethod
    def suits(layer):
        return layer.kernel_size[0] == layer.kernel_size[1]

    def forward(self, input):
        return torch.ones(1) if self.applies(input) else super().forward(input)


def quick():
    layer = nn.Conv2d(4, 4, 3).requires_grad_(False)
    quicken(layer, Marked)
    return layer


def test_the_first_kind_that_suits_stands_in():
    network = nn.Sequential(
        nn.Conv2d(512, 512, 1), nn.Conv2d(512, 512, 3, padding=1), nn.Conv2d(4, 4, 3), nn.Conv1d(4, 4, 3)
    )
    quicken(network, WinogradConvolution, PointwiseConvolution, Marked)
    assert [type(layer) for layer in network] == [PointwiseConvolution, WinogradConvolution, Marked, nn.Conv1d]
    other = nn.Conv2d(4, 4, (1, 3))
    quicken(other, Marked)
    assert type(other) is nn.Conv2d


def test_a_subclass_and_a_weight_that_is_computed_stay():
    class Own(nn.Conv2d):
        pass

    own, normed = Own(4, 4, 3), nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 4, 3))
    kind = type(normed)
    quicken(nn.Sequential(own, normed), Marked)
    assert (type(own), type(normed)) == (Own, kind)


def test_maps_in_single_precision_go_the_own_way():
    assert quick()(MAPS).shape == (1,)


@pytest.mark.parametrize("maps", [MAPS.double(), MAPS[0], MAPS.to("meta")], ids=["double", "one picture", "meta"])
def test_other_maps_go_torchs_way(maps):
    assert quick().to(maps.device, maps.dtype)(maps).shape == (*maps.shape[:-2], 6, 6)


def test_autocast_trained_weights_and_other_libraries_go_torchs_way(monkeypatch):
    layer = quick()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(MAPS).dtype == torch.bfloat16
    layer.requires_grad_()(MAPS).sum().backward()
    assert layer.weight.grad is not None
    layer.requires_grad_(False)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert layer(MAPS).shape == (1, 4, 6, 6)


class Viewing(nn.Module):
    """A network that fails in channels last."""

    def __init__(self, kernel):
        super().__init__()
        self.stem, self.middle = nn.Conv2d(3, 512, 4, stride=4), nn.Conv2d(512, 512, kernel, padding=kernel // 2)
        self.head = nn.Linear(512 * 64, 10)

    def forward(self, images):
        maps = self.middle(self.stem(images))
        return self.head(maps.view(len(maps), -1))


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_network_that_needs_torchs_memory_format_is_not_quickened(kernel):
    classifier = genviz.from_module(Viewing(kernel), input_size=32)
    assert type(classifier.network.middle) is nn.Conv2d
    assert classifier(torch.rand(2, 3, 32, 32), [SCORES])[SCORES].shape == (2, 10)


def test_a_network_keeps_its_names_weights_and_hooks():
    network = nn.Sequential(
        nn.Conv2d(4, 128, 3, padding=1), nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.Conv2d(128, 2048, 1)
    )
    network.requires_grad_(False)
    state, seen = {name: value.clone() for name, value in network.state_dict().items()}, []
    network[2].register_forward_hook(lambda *a: seen.append(a[2]))
    expected, fields = network(maps := torch.randn(1, 4, 9, 9)), receptive_fields(network)
    quicken(network, WinogradConvolution, PointwiseConvolution)
    assert [type(layer) for layer in network] == [nn.Conv2d, nn.ReLU, WinogradConvolution, PointwiseConvolution]
    torch.testing.assert_close(network(maps), expected)
    assert len(seen) == 2
    assert receptive_fields(network) == fields != {}
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
