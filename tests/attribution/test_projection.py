import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.attribution.projection import projected
from genviz.classifiers.from_module import from_module


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 6, 3), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4),
    ).double()  # fmt: skip


def test_as_zeiler_and_fergus_build_it(network):
    """Unpooling by switches, ReLU, transposed filters; the other maps of the layer are 0."""
    classifier = from_module(network, input_size=12, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    images = torch.rand(2, 3, 12, 12)
    first, second = network[0], network[3]
    with torch.no_grad():
        pooled, switches = F.max_pool2d(first(images.double()).relu(), 2, return_indices=True)
        maps = second(pooled).relu()
        alone = torch.zeros_like(maps)
        alone[:, 2] = maps[:, 2]
        back = F.conv_transpose2d(alone, second.weight)
        back = F.max_unpool2d(back, switches, 2).relu()
        expected = F.conv_transpose2d(back, first.weight, padding=1)
    found = projected(classifier, images, "4", 2)
    assert maps[:, 2].abs().sum() > 0
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)


def test_a_convolutions_map_is_rectified_first(network):
    classifier = from_module(network.float(), input_size=12, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    images = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        map_ = network[0](images)[:, 1:2].relu()
        expected = F.conv_transpose2d(map_, network[0].weight[1:2], padding=1)
    torch.testing.assert_close(projected(classifier, images, "0", 1), expected, rtol=1e-4, atol=1e-6)


def test_guided_backpropagation_leaves_out_what_did_not_fire(network):
    classifier = from_module(network, input_size=12, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    images = torch.rand(2, 3, 12, 12)
    first, second = network[0], network[3]
    with torch.no_grad():
        fired = first(images.double()).relu()
        pooled, switches = F.max_pool2d(fired, 2, return_indices=True)
        maps = second(pooled).relu()
        alone = torch.zeros_like(maps)
        alone[:, 2] = maps[:, 2]
        back = F.max_unpool2d(F.conv_transpose2d(alone, second.weight), switches, 2).relu()
        assert (back[fired == 0] > 0).any()
        expected = F.conv_transpose2d(back * (fired > 0), first.weight, padding=1)
    found = projected(classifier, images, "4", 2, "guided_backpropagation")
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(found, projected(classifier, images, "4", 2))
