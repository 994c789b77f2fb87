import pytest
import torch

from genviz.attribution.score import Score
from genviz.errors import UserError
from genviz.targets.grammar import parse_target


def of(classifier, text, *measure):
    return Score(classifier, parse_target(text, classifier.outline.labels, classifier.outline.layers), *measure)


def test_it_is_the_weighted_sum_of_the_units(classifier):
    images = torch.rand(2, 3, 12, 12)
    seen = classifier(images, ["relu1", "scores"])
    expected = 0.5 * seen["relu1"][:, 2].mean((1, 2)) - 2 * seen["relu1"][:, 3, 1, 4]
    torch.testing.assert_close(of(classifier, "filter:relu1:2@0.5+neuron:relu1:3:1:4@-2")(images), expected)
    torch.testing.assert_close(of(classifier, "class:1")(images), seen["scores"][:, 1])


def test_its_gradient_with_respect_to_a_layer(classifier):
    images = torch.rand(2, 3, 12, 12, requires_grad=True)
    scores, maps = of(classifier, "class:1").with_layer(images, "relu1")
    (slopes,) = torch.autograd.grad(scores.sum(), maps)
    expected = classifier.head.weight[1] / maps[0, 0].numel()
    torch.testing.assert_close(slopes, expected[None, :, None, None].expand_as(maps))


def test_a_layer_after_the_target_is_one_line():
    import genviz

    small = genviz.load_classifier("small", input_size=64)
    with pytest.raises(UserError, match="does not depend on relu5_1"):
        of(small, "filter:relu2_1:0").with_layer(torch.rand(1, 3, 64, 64), "relu5_1")


def test_a_class_is_measured_by_its_probability_too(classifier):
    images = torch.rand(2, 3, 12, 12)
    scores = classifier(images, ["scores"])["scores"].detach()
    for measure, expected in (("probability", scores.softmax(1)), ("log_probability", scores.log_softmax(1))):
        made = of(classifier, "class:1", measure)
        torch.testing.assert_close(made(images), expected[:, 1])
        images.requires_grad_()
        value, maps = made.with_layer(images, "relu1")
        torch.testing.assert_close(value, expected[:, 1])
        assert torch.autograd.grad(value.sum(), maps)[0].any()


@pytest.mark.parametrize("text", ["filter:relu1:0", "class:0+class:1", "class:0@-1"])
def test_what_is_no_class_has_no_probability(classifier, text):
    with pytest.raises(UserError, match="only classes have a probability"):
        of(classifier, text, "probability")
