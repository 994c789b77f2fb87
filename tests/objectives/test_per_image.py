"""An objective for each target."""

import pytest
import torch

from genviz.interfaces import Objective
from genviz.objectives.content import Content
from genviz.objectives.per_image import PerImage
from genviz.targets.grammar import parse_target


class Own(Objective):
    """One that takes a single target."""

    def __init__(self, number, weight=1.0):
        super().__init__()
        self.number, self.weight, self.ranked = number, weight, number == 2

    @property
    def layers(self):
        return ("scores",) if self.number < 2 else ("relu1",)

    def forward(self, seen):
        return seen[self.layers[0]].flatten(1)[:, self.number] + self.update

    def measure(self, seen):
        return {f"the {self.number}th": self(seen)} if self.number else {"the first": self(seen)}


def test_each_scores_its_share_of_the_views(classifier):
    each = PerImage([Own(0, 2.0), Own(1, 2.0), Own(2, 2.0)])
    assert each.layers == ("scores", "relu1")
    assert (each.weight, each.ranked) == (2.0, True)
    seen = classifier(torch.rand(6, 3, 12, 12), each.layers)  # two views of each
    each.update = 5
    expected = [seen["scores"][:2, 0], seen["scores"][2:4, 1], seen["relu1"][4:].flatten(1)[:, 2]]
    torch.testing.assert_close(each(seen), torch.cat(expected) + 5)


def test_what_another_targets_objective_measures_is_not_a_number(classifier):
    each = PerImage([Own(0), Own(1)])
    seen = classifier(torch.rand(2, 3, 12, 12), each.layers)
    measured = each.measure(seen)
    assert list(measured) == ["the first", "the 1th"]
    assert measured["the first"].isnan().tolist() == [False, True]
    assert measured["the 1th"].tolist()[1] == pytest.approx(seen["scores"][1, 1].item())


def test_each_sees_its_picture(classifier):
    target = parse_target("class:tench", classifier.outline.labels, classifier.outline.layers)
    pictures = [torch.rand(1, 3, 12, 12) for _ in range(2)]
    each = PerImage([Content(target, classifier.outline, image=picture, at="layer:conv1") for picture in pictures])
    each.remember(classifier, (12, 12))
    torch.testing.assert_close(each(classifier(torch.cat(pictures), each.layers)), torch.zeros(2))
    assert (each(classifier(torch.cat(pictures[::-1]), each.layers)) < 0).all()
    assert not each.ranked
