from types import SimpleNamespace

import pytest
import torch
import torchvision
from torch import nn

from genviz.classifiers.metadata import Metadata, metadata_of, required
from genviz.errors import UserError


def of(architecture, **settings):
    with torch.device("meta"):
        return metadata_of(torchvision.models.get_model(architecture, weights=None, **settings))


@pytest.mark.parametrize(
    ("architecture", "size"),
    [("resnet18", 224), pytest.param("efficientnet_b1", 240, marks=pytest.mark.slow), ("squeezenet1_1", 224)],
)
def test_torchvisions_say_what_their_weights_say(architecture, size):
    known = of(architecture)
    assert known.input_size == size
    assert tuple(known.mean) == (0.485, 0.456, 0.406)
    assert known.labels[593] == "harmonica"


@pytest.mark.campaign
def test_one_with_classes_of_its_own_has_no_labels():
    assert of("resnet18", num_classes=7) == of("resnet18")._replace(labels=None)


def test_what_torchvision_does_not_have_is_not_known():
    with torch.device("meta"):
        network = torchvision.models.resnet.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])
    assert metadata_of(network) == metadata_of(nn.Linear(3, 4)) == Metadata()


def test_timms_say_it_in_their_configuration():
    network = nn.Linear(3, 2)
    network.pretrained_cfg = {"input_size": (3, 288, 288), "mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    assert metadata_of(network) == Metadata(288, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), None)


@pytest.mark.parametrize(
    ("classes", "tag", "named"),
    [(1000, "a1_in1k", True), (1000, "augreg_in21k_ft_in1k", True), (1000, "mine", False), (10, "a1_in1k", False)],
)
def test_timms_of_imagenet_have_its_labels(classes, tag, named):
    network = nn.Linear(3, classes)
    network.num_classes = classes
    network.pretrained_cfg = {
        "input_size": (3, 8, 8),
        "mean": (0,) * 3,
        "std": (1,) * 3,
        "num_classes": 1000,
        "tag": tag,
    }
    labels = metadata_of(network).labels
    assert (labels is not None and labels[593]) == ("harmonica" if named else False)


class Answers(nn.Module):
    """As transformers' image classifiers: scores in an object."""

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(id2label={"1": "dog", "0": "cat"}, image_size=384, name_or_path="/nowhere")

    def forward(self, images):
        return SimpleNamespace(logits=images.mean((2, 3))[:, :2])


def test_transformers_say_their_labels_and_size():
    network = Answers()
    known = metadata_of(network)
    assert (known.input_size, known.labels) == (384, ["cat", "dog"])


def test_what_is_not_said_is_asked_for_in_one_line():
    with pytest.raises(UserError, match=r"does not say its mean, std; give mean=\(0.485"):
        required(Metadata(input_size=224))
    whole = Metadata(224, (0, 0, 0), (1, 1, 1))
    assert required(whole) is whole


def test_a_quantized_network_says_nothing_of_itself():
    """Its state dict holds other things than tensors, and its pictures are made as those of any other network."""
    network = torch.ao.quantization.quantize_dynamic(torchvision.models.mnasnet0_5(weights=None), {nn.Linear})
    assert not all(isinstance(value, torch.Tensor) for value in network.state_dict().values())
    assert metadata_of(network) == Metadata()
