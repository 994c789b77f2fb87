import pytest
import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.errors import UserError
from genviz.interfaces import Layer, Outline
from genviz.objectives.style import Style
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target

LAYERS = (Layer("a", "0", (3, 4, 4)), Layer("b", "1", (5, 2, 2)), Layer("scores", "scores", (6,)))
OUTLINE = Outline(tuple("uvwxyz"), LAYERS, {}, (8, 8))


def made(text="layer:a", image=None, **settings):
    target = parse_target(text, OUTLINE.labels, LAYERS)
    return Style(target, OUTLINE, image=torch.rand(1, 3, 8, 8) if image is None else image, **settings)


@pytest.mark.parametrize(
    ("text", "at"), [("layer:a+b@0.7", None), ("class:u", "layer:a+b@0.7"), ("filter:a:1", "layer:a+b@0.7")]
)
def test_it_is_gatys_sum(text, at):
    """Gerretsen & Grinsztajn, Eq. 4 and 5, number by number."""
    torch.manual_seed(0)
    objective = made(text, at=at, weight=3e3)
    assert objective.layers == ("a", "b")
    style = {"a": torch.randn(1, 3, 4, 4, dtype=torch.float64), "b": torch.randn(1, 5, 2, 2, dtype=torch.float64)}
    seen = {name: torch.randn_like(value) for name, value in style.items()}
    objective.wanted = objective.keep(style)
    total = 0.0
    for name, weight in (("a", 1.0), ("b", 0.7)):
        features, others = seen[name][0].flatten(1), style[name][0].flatten(1)
        n, m = features.shape
        for i in range(n):
            for j in range(n):
                ours = sum(float(features[i, k] * features[j, k]) for k in range(m))
                theirs = sum(float(others[i, k] * others[j, k]) for k in range(m))
                total += weight * (ours - theirs) ** 2 / (4 * n**2 * m**2)
    torch.testing.assert_close(Sum({"style": objective})(seen).item(), -3e3 * total)
    torch.testing.assert_close(objective.measure(seen)["style loss"].item(), total)


def test_where_things_are_does_not_count():
    objective = made()
    style = torch.randn(1, 3, 4, 4)
    objective.wanted = objective.keep({"a": style})
    assert objective({"a": style.flip(2).roll(1, 3)}).abs().item() < 1e-6
    assert objective({"a": style.repeat(1, 1, 2, 3)}).abs().item() < 1e-6  # whatever its size
    assert objective({"a": style + 0.5}).item() < -1e-3


def test_a_picture_of_another_shape_is_seen_in_its_own_with_as_many_pixels():
    assert made(image=torch.rand(1, 3, 40, 10)).fit((20, 20)) == (40, 10)
    assert made(image=torch.rand(1, 3, 40, 10)).fit((40, 40)) == (80, 20)
    assert made(image=torch.rand(1, 3, 500, 1)).fit((2, 2))[1] == 1


@pytest.mark.parametrize("text", ["layer:scores", "class:u", "filter:a:1", "neuron:a:1:2:2", "layer:a+scores"])
def test_what_has_no_positions_or_is_a_part_has_no_style(text):
    for settings in ({"text": text}, {"at": text}):
        with pytest.raises(UserError, match="convolutional"):
            made(**settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"image": ""}, "say which picture: style=FILE"), ({"image": "/nowhere.png"}, "no such file"),
     ({"at": "layer:relu9"}, "no layer is called"), ({"at": "layer:a@heavy"}, "is not a weight")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(settings, says):
    with pytest.raises(UserError, match=says) as caught:
        made(**settings)
    assert "\n" not in str(caught.value)


def test_a_file_is_a_picture_too(tmp_path):
    Image.new("RGB", (8, 8), (200, 100, 0)).save(tmp_path / "a.png")
    classifier = TinyClassifier()
    target = parse_target("layer:relu1", classifier.outline.labels, classifier.outline.layers)
    objective = Style(target, classifier.outline, image=str(tmp_path / "a.png"))
    objective.remember(classifier, (12, 12))
    picture = torch.tensor([200.0, 100.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 9, 14) / 255
    assert objective(classifier(picture, objective.layers)).abs().item() < 1e-6
    assert not objective.ranked


def test_layers_whose_channels_are_unknown_have_to_state_them():
    layers = (*LAYERS, Layer("c", "2", (3, 4, 5), axis=None))
    outline = OUTLINE._replace(layers=layers)

    def style(text):
        return Style(parse_target(text, outline.labels, layers), outline, image=torch.rand(1, 3, 8, 8))

    with pytest.raises(UserError, match=r"say which: c/1 or c/2 or c/3"):
        style("layer:c")
    assert style("layer:c/2+a").layers == ("c/2", "a")


def test_what_is_silent_in_the_picture_has_no_relative_style():
    silent = {"a": torch.zeros(1, 3, 4, 4)}
    with pytest.raises(UserError, match="layer:a is all 0 for the picture, nothing to compare with"):
        made(relative=True).keep(silent)
    assert (made().keep(silent)["a"] == 0).all()
