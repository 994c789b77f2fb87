import pytest
import torch
import torchvision

from genviz.classifiers.names import paper_names, vgg_convolutions


def names(architecture):
    with torch.device("meta"):
        network = torchvision.models.get_model(architecture, weights=None)
    return {name: module for module, name in paper_names(architecture, network).items()}


def test_vgg16():
    found = names("vgg16")
    assert found["conv1_1"] == "features.0"
    assert found["relu1_1"] == "features.1"
    assert found["conv5_1"] == "features.24"
    assert found["relu5_3"] == "features.29"
    assert found["pool5"] == "features.30"
    fully_connected = [found[name] for name in ("fc6", "relu6", "fc7", "relu7", "fc8")]
    assert fully_connected == [f"classifier.{i}" for i in (0, 1, 3, 4, 6)]
    assert len(found) == 13 + 13 + 5 + 5


@pytest.mark.parametrize(
    ("architecture", "last"), [("vgg19", "conv5_4"), ("vgg11", "conv5_2"), ("vgg16_bn", "conv5_3")]
)
def test_the_other_vggs(architecture, last):
    assert last in (found := names(architecture))
    assert f"{last[:-1]}{int(last[-1]) + 1}" not in found
    assert ("bn5_1" in found) == architecture.endswith("_bn")


@pytest.mark.parametrize("architecture", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_the_convolutions_of_a_vgg_follow_from_their_number(architecture):
    own = tuple(name for name in names(architecture) if name.startswith("conv"))
    assert vgg_convolutions(len(own)) == own
    assert vgg_convolutions(12) == ()


def test_alexnet():
    found = names("alexnet")
    expected = "conv1 relu1 pool1 conv2 relu2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 fc6 relu6 fc7 relu7 fc8"
    assert list(found) == expected.split()
    assert found["fc8"] == "classifier.6"


def test_squeezenet():
    found = names("squeezenet1_0")
    assert found["conv1"] == "features.0"
    assert found["fire2"] == "features.3"
    assert found["fire9"] == "features.12"
    assert found["conv10"] == "classifier.1"
    assert found["pool10"] == "classifier.3"


def test_a_network_without_papers_names_has_none():
    assert names("resnet18") == {}
