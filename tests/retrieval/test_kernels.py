from itertools import pairwise

import pytest
import torch
import torchvision
from torch import nn

from genviz.classifiers.from_module import from_module
from genviz.classifiers.input_space import InputSpace
from genviz.errors import UserError
from genviz.retrieval.kernels import kernels, ordered
from genviz.targets.layers import find_layer


def looked(network, **own):
    given = {"input_size": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.25, 0.5), "labels": None} | own
    return from_module(network.eval(), **{k: v for k, v in given.items() if v is not None})


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    maps = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 1))
    network = nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return looked(network, labels=("a", "b", "c"))


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_a_first_kernel_does_to_rgb_what_the_network_does(classifier, channels):
    classifier.input_space = InputSpace(channels=channels, scale=255.0, mean=(104, 117, 123), std=(1, 2, 3))
    found = kernels(classifier, find_layer("0", classifier.outline.layers))
    assert found.colours
    images = torch.rand(2, 3, 32, 32)
    seen, shifted = (classifier(each, ["0"])["0"] for each in (images, images * 0))
    assert torch.allclose(seen - shifted, nn.functional.conv2d(images, found.weights), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("layer", "convolution"), [("1", "0"), ("2", "0"), ("3", "0"), ("4", "4"), ("5", "4")])
def test_what_has_the_channels_of_a_convolution_shows_its_kernels(classifier, layer, convolution):
    found = kernels(classifier, find_layer(layer, classifier.outline.layers))
    assert found.layer == convolution
    assert found.colours is (convolution == "0")
    assert torch.equal(found.weights, classifier.network[4].weight) or convolution == "0"


@pytest.mark.parametrize("layer", ["7", "6", "scores"])
def test_a_dense_layer_has_none_and_says_so(classifier, layer):
    with pytest.raises(UserError, match=r"has no kernels.*such as 0.*image=FILE"):
        kernels(classifier, find_layer(layer, classifier.outline.layers))


def test_a_squeezenets_relus_have_their_own_and_its_joins_none():
    classifier = looked(torchvision.models.squeezenet1_1(weights=None), input_size=64)
    layers = classifier.outline.layers
    assert kernels(classifier, find_layer("features.3.expand3x3_activation", layers)).layer == "features.3.expand3x3"
    with pytest.raises(UserError, match="features.3 has no kernels"):
        kernels(classifier, find_layer("features.3", layers))


def test_each_call_of_a_relu_has_the_convolution_before_it():
    classifier = looked(torchvision.models.resnet18(weights=None), input_size=64)
    layers = classifier.outline.layers
    assert kernels(classifier, find_layer("layer1.0.relu", layers)).layer == "layer1.0.conv1"
    with pytest.raises(UserError, match="layer1.0.relu_1 has no kernels"):  # of a sum
        kernels(classifier, find_layer("layer1.0.relu_1", layers))


def test_a_network_that_cannot_be_traced_still_has_those_of_its_convolutions():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.relu, self.head = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 2)

        def forward(self, x):
            maps = self.relu(self.conv(x))
            return self.head(maps.mean((2, 3)) if x.sum() > -1e9 else maps.amax((2, 3)))

    classifier = looked(Branching(), labels=("a", "b"))
    assert kernels(classifier, find_layer("conv", classifier.outline.layers)).colours
    with pytest.raises(UserError, match="relu has no kernels"):
        kernels(classifier, find_layer("relu", classifier.outline.layers))


def test_orders():
    values = torch.tensor([[1.0, 0.0], [0.0, 3.0], [2.0, 0.1], [-4.0, 0.0]])
    assert ordered(values, "number") == [0, 1, 2, 3]
    assert ordered(values, "norm") == [3, 1, 2, 0]
    assert ordered(values, "loudest") == [1, 2, 0, 3]
    assert ordered(values, "similarity") == [3, 1, 2, 0]


def test_by_similarity_alike_filters_are_neighbours():
    torch.manual_seed(0)
    centres = torch.randn(4, 3, 5, 5)
    which = torch.randperm(40) % 4
    order = ordered(centres[which] + 0.1 * torch.randn(40, 3, 5, 5), "similarity")
    assert sorted(order) == list(range(40))
    changes = sum(which[a] != which[b] for a, b in pairwise(order))
    assert changes == 3
