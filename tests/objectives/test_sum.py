import pytest
import torch

from genviz.interfaces import Objective
from genviz.objectives.activation import Activation
from genviz.objectives.content import Content
from genviz.objectives.style import Style
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target


def target(classifier, text):
    return parse_target(text, classifier.outline.labels, classifier.outline.layers)


def parts(classifier, picture):
    layer = target(classifier, "layer:relu1")
    return {
        "content": Content(layer, classifier.outline, image=picture, weight=2.0),
        "style": Style(layer, classifier.outline, image=picture.flip(1), at="layer:conv1", weight=1e3),
        "activation": Activation(target(classifier, "class:harmonica"), classifier.outline, weight=0.5),
    }


def test_it_is_the_sum_of_the_weighted_scores(classifier):
    torch.manual_seed(0)
    each = parts(classifier, torch.rand(1, 3, 12, 12))
    together = Sum(each)
    together.remember(classifier, (12, 12))
    seen = classifier(torch.rand(3, 3, 12, 12), together.layers)
    weights = {"content": 2.0, "style": 1e3, "activation": 0.5}
    wanted = {name: weights[name] * part(seen) for name, part in each.items()}
    torch.testing.assert_close(together(seen), wanted["content"] + wanted["style"] + wanted["activation"])
    assert list(together.scores) == list(wanted)
    for name, score in together.scores.items():
        torch.testing.assert_close(score, wanted[name])
        assert not score.requires_grad


def test_the_gradient_is_the_sum_of_the_weighted_gradients(classifier):
    torch.manual_seed(0)
    each, image = parts(classifier, torch.rand(1, 3, 12, 12)), torch.rand(1, 3, 12, 12, requires_grad=True)
    together = Sum(each)
    together.remember(classifier, (12, 12))
    (got,) = torch.autograd.grad(together(classifier(image, together.layers)).sum(), image)
    wanted = torch.zeros_like(image)
    for part in each.values():
        wanted += torch.autograd.grad(part.weight * part(classifier(image, part.layers)).sum(), image)[0]
    torch.testing.assert_close(got, wanted)


def test_its_layers_are_all_that_a_part_reads_each_once(classifier):
    together = Sum(parts(classifier, torch.rand(1, 3, 12, 12)))
    assert together.layers == ("relu1", "conv1", "scores")


def test_each_part_is_told_the_update(classifier):
    warming = Activation(target(classifier, "filter:relu1:2"), classifier.outline, warm_up=5)
    together = Sum({"activation": warming})
    seen = classifier(torch.rand(1, 3, 12, 12), together.layers)
    scores = []
    for update in (0, 4, 5):
        together.update = update
        scores.append(together(seen).item())
    assert warming.update == 5
    assert scores[0] == scores[1] == pytest.approx(seen["conv1"][0, 2].mean().item())
    assert scores[2] != scores[0]


def test_one_parts_measures_are_its_own_and_severals_say_whose_they_are(classifier):
    torch.manual_seed(0)
    each = parts(classifier, torch.rand(1, 3, 12, 12))
    together, alone = Sum(each), Sum({"style": each["style"]})
    together.remember(classifier, (12, 12))
    seen = classifier(torch.rand(2, 3, 12, 12), together.layers)
    assert list(together.measure(seen)) == ["content, content loss", "style, style loss", "activation, score"]
    assert list(alone.measure(seen)) == ["style loss"]
    assert torch.equal(together.measure(seen)["style, style loss"], -each["style"](seen))  # without the weight
    assert torch.equal(alone.measure(seen)["style loss"], -each["style"](seen))


@pytest.mark.parametrize("ranked", [(True,), (False,), (False, True), (False, False)])
def test_a_picture_is_judged_by_the_place_of_its_target_if_one_of_the_parts_says_so(ranked):
    class Part(Objective):
        layers = ()

        def forward(self, seen):
            return torch.zeros(1)

    made = {str(number): Part() for number in range(len(ranked))}
    for part, each in zip(made.values(), ranked, strict=True):
        part.ranked = each
    assert Sum(made).ranked is any(ranked)
