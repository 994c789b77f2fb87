import pytest
import torch

from genviz.classifiers.embedded import EmbeddedClassifier
from genviz.errors import UserError


@pytest.fixture(scope="module")
def classifier():
    return EmbeddedClassifier(weights="random", input_size=32)


def test_nothing_in_it_takes_a_gradient_and_the_image_does(classifier):
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    classifier(image, ["fc8"])["fc8"].sum().backward()
    assert image.grad.abs().sum() > 0


def test_it_never_leaves_eval_mode(classifier):
    assert not classifier.train().training


def test_images_of_another_size_are_resized(classifier):
    assert classifier(torch.rand(1, 3, 50, 40), ["relu3_1"])["relu3_1"].shape[-2:] == (8, 8)


def test_a_layer_and_what_goes_into_it_share_a_receptive_field(classifier):
    assert classifier.receptive_field("relu3_1") == classifier.receptive_field("relu3_1.input")
    assert classifier.receptive_field("pool2").stride == 4
    with pytest.raises(UserError, match="whole image"):
        classifier.receptive_field("scores")
