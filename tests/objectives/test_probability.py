import math

import pytest
import torch

from genviz.errors import UserError
from genviz.objectives.probability import Probability
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
