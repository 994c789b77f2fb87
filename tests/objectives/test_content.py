import pytest
import torch
from conftest import TinyClassifier

from genviz.errors import UserError
from genviz.interfaces import Layer, Outline
from genviz.objectives.content import Content
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target

LAYERS = (Layer("a", "0", (3, 4, 4)), Layer("b", "1", (2, 2, 2)), Layer("scores", "scores", (6,)))
OUTLINE = Outline(tuple("uvwxyz"), LAYERS, {}, (8, 8))
PICTURE = torch.rand(1, 3, 8, 8)


def target(text):
    return parse_target(text, OUTLINE.labels, LAYERS)


def activations(number):
    return {layer.name: torch.randn(number, *layer.shape, dtype=torch.float64) for layer in LAYERS}


@pytest.mark.parametrize(
    ("text", "at"), [("layer:a+b@2", None), ("class:u", "layer:a+b@2"), ("filter:b:0", "layer:a+b@2")]
)
def test_it_is_half_the_squared_distance(text, at):
    """Gerretsen & Grinsztajn, Eq. 3 and 5."""
    torch.manual_seed(0)
    objective = Content(target(text), OUTLINE, image=PICTURE, at=at, weight=0.5)
    assert objective.layers == ("a", "b")
    wanted, seen = activations(1), activations(2)
    objective.wanted = wanted
    for number, score in enumerate(Sum({"content": objective})(seen)):
        total = 0.0
        for name, weight in (("a", 1.0), ("b", 2.0)):
            pairs = zip(seen[name][number].flatten().tolist(), wanted[name].flatten().tolist(), strict=True)
            total += weight * sum((x - c) ** 2 for x, c in pairs) / 2
        torch.testing.assert_close(score.item(), -0.5 * total)
        torch.testing.assert_close(objective.measure(seen)["content loss"][number].item(), total)


def test_a_filter_and_a_neuron_are_parts_of_their_layer():
    torch.manual_seed(0)
    objective = Content(target("filter:a:2+neuron:b:1:0:1@3"), OUTLINE, image=PICTURE)
    wanted, seen = activations(1), activations(1)
    objective.wanted = wanted
    of_filter = sum(float(seen["a"][0, 2, y, x] - wanted["a"][0, 2, y, x]) ** 2 for y in range(4) for x in range(4))
    of_neuron = float(seen["b"][0, 1, 0, 1] - wanted["b"][0, 1, 0, 1]) ** 2
    torch.testing.assert_close(objective(seen).item(), -(of_filter + 3 * of_neuron) / 2)


def test_the_picture_itself_loses_nothing():
    classifier = TinyClassifier()
    objective = Content(
        parse_target("class:tench", classifier.outline.labels, classifier.outline.layers),
        classifier.outline,
        image=torch.rand(1, 3, 12, 12),
        at="layer:relu1",
    )
    objective.remember(classifier, (12, 12))
    assert objective(classifier(objective.picture, objective.layers)).item() == 0
    assert objective(classifier(objective.picture + 0.1, objective.layers)).item() < 0
    assert not objective.ranked


@pytest.mark.parametrize(
    ("settings", "says"),
    [({}, "say which picture: image=FILE"), ({"image": "/nowhere.png"}, "no such file"),
     ({"image": PICTURE, "at": "layer:relu9"}, "no layer is called 'relu9'"), ({"image": 7}, "say which picture")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Content(target("layer:a"), OUTLINE, **settings)


def test_a_gap_in_a_batch_has_no_say():
    """A target without a unit in a layer is given its first filter, which may be 0."""
    objective = Content([target("filter:a:1"), target("filter:b:1")], OUTLINE, image=PICTURE, relative=True)
    seen = {name: value.requires_grad_() for name, value in activations(2).items()}
    with torch.no_grad():
        for layer in seen.values():
            layer[:, :1] = 0
    kept = objective.keep({name: value.detach()[:1] for name, value in seen.items()})
    objective.wanted = kept
    objective(seen).sum().backward()
    assert all(layer.grad.isfinite().all() for layer in seen.values() if layer.grad is not None)
