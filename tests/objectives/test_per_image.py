"""Each image its own objective."""

import torch

from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.per_image import PerImage
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target


def parts(classifier, *texts):
    outline = classifier.outline
    return [
        Sum({"activation": Activation(parse_target(text, outline.labels, outline.layers), outline, weight=2.0)})
        for text in texts
    ]


def test_each_scores_its_share_of_the_views(classifier):
    objectives = parts(classifier, "class:tench", "filter:relu1:3", "class:harmonica+tench@0.5")
    each = PerImage(objectives)
    assert each.layers == ("scores", "relu1")
    assert each.ranked
    seen = classifier(torch.rand(6, 3, 12, 12), each.layers)  # two views of each
    expected = [
        objective({layer: seen[layer][2 * number : 2 * number + 2] for layer in objective.layers})
        for number, objective in enumerate(objectives)
    ]
    torch.testing.assert_close(each(seen), torch.cat(expected))
    torch.testing.assert_close(each.scores["activation"], torch.cat(expected))
    assert each[1] is objectives[1]


def test_each_hears_of_the_update_and_sees_the_picture(classifier):
    target = parse_target("class:tench", classifier.outline.labels, classifier.outline.layers)
    pictures = [torch.rand(1, 3, 12, 12) for _ in range(2)]
    each = PerImage([Content(target, classifier.outline, image=picture, at="layer:conv1") for picture in pictures])
    each.remember(classifier, (12, 12))
    each.update = 5
    scores = each(classifier(torch.cat(pictures), each.layers))
    assert [part.update for part in each.parts] == [5, 5]
    torch.testing.assert_close(scores, torch.zeros(2))  # each is what it is compared with
    assert (each(classifier(torch.cat(pictures[::-1]), each.layers)) < 0).all()
    assert not each.ranked
