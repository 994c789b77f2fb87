import math

import pytest
import torch
from torch import nn

from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.objectives.probability import LogProbability, Probability
from genviz.targets.grammar import Target, Unit


def test_it_is_the_softmax_of_the_target():
    objective = Probability(Target((Unit("class", "scores", (1,), 1.0, "1"), Unit("class", "scores", (3,), 0.5, "3"))))
    scores = [0.5, 2.0, -1.0, 1.0]
    total = sum(math.exp(score) for score in scores)
    got = objective({"scores": torch.tensor([scores])})
    assert got.item() == pytest.approx((math.exp(2.0) + 0.5 * math.exp(1.0)) / total)


def test_a_picture_is_judged_by_the_place_of_its_classes():
    assert Probability(Target((Unit("class", "scores", (1,), 1.0, "1"),)), weight=3).ranked


def test_it_is_of_classes_alone():
    with pytest.raises(UserError, match="takes classes"):
        Probability(Target((Unit("layer", "relu1", (), 1.0, "relu1"),)))


@pytest.mark.parametrize("head", [nn.Softmax(1), nn.Sigmoid()])
def test_scores_that_are_probabilities_are_taken_as_they_are(head):
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 4), head)
    classifier = from_module(network, input_size=4)
    objective = Probability(Target((Unit("class", "scores", (1,), 1.0, "1"),)))
    objective.remember(classifier, (4, 4))
    seen = classifier(torch.rand(2, 3, 4, 4), ["scores"])
    torch.testing.assert_close(objective(seen), seen["scores"][:, 1])


def test_the_logarithm_is_the_negative_cross_entropy_and_never_flat():
    classifier = from_module(nn.Sequential(nn.Flatten(), nn.Linear(48, 4)), input_size=4)
    objective = LogProbability(Target((Unit("class", "scores", (1,), -1.0, "1"),)))
    objective.remember(classifier, (4, 4))
    scores = torch.randn(3, 4)
    torch.testing.assert_close(
        objective({"scores": scores}), nn.functional.cross_entropy(scores, torch.tensor([1, 1, 1]), reduction="none")
    )
    sure = torch.tensor([[0.0, 500.0, 0.0, 0.0]], requires_grad=True)
    for made, flat in ((Probability, True), (LogProbability, False)):
        away = made(Target((Unit("class", "scores", (2,), 1.0, "2"),)))
        (gradient,) = torch.autograd.grad(away({"scores": sure}).sum(), sure)
        assert bool((gradient == 0).all()) == flat
