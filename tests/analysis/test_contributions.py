from typing import get_args

import pytest
import torch
from torch import nn

from genviz.analysis.contributions import Method, contributions, resolve
from genviz.analysis.examples import Examples
from genviz.classifiers.from_module import from_module
from genviz.classifiers.small import SmallClassifier
from genviz.classifiers.torchvision import TorchvisionClassifier
from genviz.errors import UserError
from genviz.interfaces import SCORES

HARMONICA = 1


@pytest.fixture
def images():
    return torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))


class Tokens(nn.Module):
    """Its layer ``mix`` computes (n, tokens, channels), as a transformer's do."""

    def __init__(self):
        super().__init__()
        self.patches, self.mix, self.head = nn.Conv2d(3, 6, 8, 8), nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.mix(self.patches(x).flatten(2).transpose(1, 2)).relu().mean(1))


def slow(classifier, number, layer, images):
    """Gradient times activation, from its definition."""
    total = 0.0
    for image in images:
        activation = classifier(image[None], [layer])[layer].detach().requires_grad_()
        score = classifier.through(image[None], layer, lambda _, value=activation: value.clone())[0, number]
        (gradient,) = torch.autograd.grad(score, activation)
        total = total + (gradient * activation).detach()[0].flatten(1).sum(1)
    return total / len(images)


def test_before_a_linear_head_it_is_the_weight_times_the_mean_activation(classifier, images):
    found = contributions(classifier, HARMONICA, "relu1", images, at_once=2)
    mean = classifier(images, ["relu1"])["relu1"].mean((0, 2, 3))
    torch.testing.assert_close(found.values, classifier.head.weight[HARMONICA] * mean)


def test_without_the_strongest_filters_the_score_falls_by_what_they_contribute(classifier, images):
    found = contributions(classifier, HARMONICA, "relu1", images)
    order = found.ranked()
    mask = torch.ones(4, 1, 1)
    mask[order[:2]] = 0
    scores = classifier(images, [SCORES])[SCORES][:, HARMONICA]
    without = classifier.through(images, "relu1", lambda activation: activation * mask)[:, HARMONICA]
    torch.testing.assert_close((scores - without).mean(), found.values[order[:2]].sum())
    assert order == found.ranked(strongest=False)[::-1]


def test_shares_are_of_all_that_speaks_for_the_class(classifier, images):
    found = contributions(classifier, HARMONICA, "relu1", images)
    favourable = [number for number, value in enumerate(found.values.tolist()) if value > 0]
    assert found.share(favourable) == pytest.approx(1)
    assert found._replace(values=torch.tensor([-1.0, -3.0])).share([1]) == pytest.approx(-0.75)


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda: SmallClassifier(input_size=64), "conv3_1"),  # a ReLU in place follows
        (lambda: SmallClassifier(input_size=64), "relu5_2"),
        (lambda: TorchvisionClassifier(architecture="resnet18", weights="random", input_size=32), "layer1.0.relu_1"),
        (lambda: from_module(Tokens(), input_size=32), "mix"),
    ],
)
def test_it_is_what_its_definition_says_wherever_the_layer_is(make, layer):
    classifier = make()
    images = torch.rand(2, 3, 48, 48)
    number = int(classifier(images, [SCORES])[SCORES][0].argmax())
    expected = slow(classifier, number, layer, images)
    found = contributions(classifier, number, layer, images).values
    torch.testing.assert_close(found, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-4)


def test_it_is_captums_on_the_module_itself():
    from captum.attr import LayerGradientXActivation

    network = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    classifier = from_module(network, input_size=12, mean=(0, 0, 0), std=(1, 1, 1))
    images = torch.rand(4, 3, 12, 12)
    expected = LayerGradientXActivation(network, network[0]).attribute(images, target=2).sum((2, 3)).mean(0)
    torch.testing.assert_close(contributions(classifier, 2, "0", images).values, expected.detach())


@pytest.mark.parametrize("method", ["integrated_gradients", "conductance"])
def test_an_integral_adds_up_to_what_the_score_gained(classifier, images, method):
    found = contributions(classifier, HARMONICA, "relu1", images, method=method, at_once=4)
    black = classifier(torch.zeros(1, 3, 12, 12), [SCORES])[SCORES][:, HARMONICA]
    gained = (classifier(images, [SCORES])[SCORES][:, HARMONICA] - black).mean()
    torch.testing.assert_close(found.values.sum(), gained, rtol=0.02, atol=1e-4)


class Fixed(nn.Module):
    """It takes a fixed number of pictures."""

    def __init__(self, count):
        super().__init__()
        self.count, self.conv, self.head = count, nn.Conv2d(3, 5, 3), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.conv(x).relu().view(self.count, 5, 100).mean(2))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("method", get_args(Method))
def test_of_a_network_that_takes_a_fixed_number_of_pictures(images, method, count):
    torch.manual_seed(0)
    free = Fixed(-1)
    fixed = Fixed(count)
    fixed.load_state_dict(free.state_dict())
    wanted = contributions(from_module(free, input_size=12), 2, "conv", images, method=method)
    classifier = from_module(fixed, input_size=12)
    if (method, count) == ("conductance", 1):
        with pytest.raises(UserError, match=r"conductance needs two pictures"):
            contributions(classifier, 2, "conv", images, method=method)
        return
    torch.testing.assert_close(contributions(classifier, 2, "conv", images, method=method).values, wanted.values)


def test_nothing_stays_in_the_network(classifier, images):
    classifier = SmallClassifier(input_size=32)
    before = classifier(images, [SCORES])[SCORES]
    contributions(classifier, int(before[0].argmax()), "relu4_1", images)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in classifier.modules())
    assert torch.equal(classifier(images, [SCORES])[SCORES], before)
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def test_a_class_that_does_not_fire_is_told(images):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(network[4].weight)
    classifier = from_module(network, input_size=12, labels=["cat", "dog"])
    with pytest.raises(
        UserError, match="no filter of 0 contributes to dog, which does not fire in any of the 5 pictures"
    ):
        contributions(classifier, 1, "0", images)
    with pytest.raises(UserError, match="to dog, which does not fire in the picture; give others"):
        contributions(classifier, 1, "0", images[:1])


def test_a_method_that_is_not_known_is_told(classifier, images):
    with pytest.raises(UserError, match="method=shapley is unknown; choose gradient, integrated_gradients, conduct"):
        contributions(classifier, 1, "relu1", images, method="shapley")


def test_a_target_gets_the_filters_and_a_line_on_them(classifier, images):
    asked = []

    def examples(number):
        asked.append(number)
        return Examples(images, [str(n) for n in range(5)], "five pictures")

    order = contributions(classifier, HARMONICA, "relu1", images).ranked()
    text = "filter:relu1:top2:harmonica@0.5+bottom1:harmonica@-1+class:tench"
    resolved = resolve(classifier, text, examples)
    first, second, last = order[0], order[1], order[-1]
    assert resolved.text == f"filter:relu1:{first}@0.5+{second}@0.5+{last}@-1.0+class:tench"
    assert resolved.told[0].startswith(
        f"filter:relu1:top2:harmonica is filter:relu1:{first}+{second}, which contribute "
    )
    assert "% of the evidence for harmonica in five pictures" in resolved.told[0]
    assert asked == [HARMONICA]  # once, though two pieces ask


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classifier": "small"}, "takes a classifier, such as genviz.load_classifier"),
        ({"number": 9}, "number=9 is no class; the network has 3, counted from 0"),
        ({"number": "cat"}, "number='cat' is no class"),
        ({"layer": "relu77"}, "relu77"),
        ({"images": "cat.jpg"}, "must be a tensor, RGB"),
        ({"images": torch.full((1, 3, 12, 12), 255.0)}, r"images from 255 to 255 must be RGB in \[0, 1\]"),
        ({"images": torch.zeros(1, 3, 12, 12, dtype=torch.uint8)}, "images of type uint8 must be floats"),
    ],
)
def test_what_cannot_work_is_said(change, says):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    given = {
        "classifier": from_module(network, input_size=12),
        "number": 0,
        "layer": "0",
        "images": torch.rand(1, 3, 12, 12),
    }
    with pytest.raises(UserError, match=says):
        contributions(**(given | change))
