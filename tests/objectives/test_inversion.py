import pytest
import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.errors import UserError
from genviz.interfaces import Layer, Outline
from genviz.objectives.inversion import Inversion
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target, Unit


def layer(name="conv1", weight=1.0):
    return Target((Unit("layer", name, (), weight, name),))


def made(tmp_path, target=None, **settings):
    """An inversion whose picture is seen as ``wanted``."""
    Image.new("RGB", (8, 8), (200, 100, 0)).save(tmp_path / "a.png")
    objective = Inversion(target or layer(), image=str(tmp_path / "a.png"), **settings)
    wanted = torch.randn(1, 6, 7, 7, dtype=torch.float64)
    objective.wanted = objective.keep({"conv1": wanted})
    return objective, wanted


def test_it_is_the_papers_distance(tmp_path):
    """Mahendran & Vedaldi 2016, Eq. 2, times C."""
    objective, wanted = made(tmp_path, weight=20.0)
    seen = torch.randn(2, 6, 7, 7, dtype=torch.float64)
    for score, one in zip(Sum({"inversion": objective})({"conv1": seen}), seen, strict=True):
        above = sum(float(a - b) ** 2 for a, b in zip(one.flatten(), wanted.flatten(), strict=True))
        torch.testing.assert_close(score.item(), -20 * above / sum(float(b) ** 2 for b in wanted.flatten()))
    errors = objective.measure({"conv1": seen})["normalized error"]
    torch.testing.assert_close(-(errors**2), objective({"conv1": seen}))


@pytest.mark.parametrize(
    ("settings", "rows", "channels"),
    [({"window": 3}, range(2, 5), range(6)), ({"window": 4}, range(1, 5), range(6)),
     ({"channels": (2, 5)}, range(7), range(2, 5)), ({"window": 5, "channels": (0, 3)}, range(1, 6), range(3))],
)  # fmt: skip
def test_only_what_the_mask_leaves_counts(tmp_path, settings, rows, channels):
    """Mahendran & Vedaldi 2016, Eq. 3."""
    objective, wanted = made(tmp_path, **settings)
    seen = torch.randn(1, 6, 7, 7, dtype=torch.float64)
    above = below = 0.0
    for c in channels:
        for row in rows:
            for column in rows:
                above += float(seen[0, c, row, column] - wanted[0, c, row, column]) ** 2
                below += float(wanted[0, c, row, column]) ** 2
    torch.testing.assert_close(objective({"conv1": seen}).item(), -above / below)


def test_only_positions_where_a_picture_is_light_count(tmp_path):
    light = Image.new("L", (70, 140))
    light.paste(255, (0, 40, 50, 100))  # columns 0 to 4 of 7, rows 2 to 4
    light.save(tmp_path / "mask.png")
    objective, wanted = made(tmp_path, mask=str(tmp_path / "mask.png"))
    seen = torch.randn(1, 6, 7, 7, dtype=torch.float64)
    above, below = (seen - wanted)[..., 2:5, :5], wanted[..., 2:5, :5]
    torch.testing.assert_close(objective({"conv1": seen}).item(), -(above.square().sum() / below.square().sum()).item())
    with pytest.raises(UserError, match="is all 0 for the picture"):
        made(tmp_path, mask=torch.zeros(1, 3, 4, 4))
    with pytest.raises(UserError, match="needs a layer with rows and columns"):
        objective.keep({"scores": torch.ones(1, 6)})
    with pytest.raises(UserError, match="say which picture: objective.inversion.mask=FILE"):
        made(tmp_path, mask=3)


def test_filters_and_neurons_are_masks_too(tmp_path):
    target = Target((Unit("filter", "conv1", (2,), 1.0, "2"), Unit("neuron", "conv1", (1, 3, 4), 0.5, "1:3:4")))
    objective, wanted = made(tmp_path, target)
    seen = torch.randn(1, 6, 7, 7, dtype=torch.float64)
    filters = ((seen[0, 2] - wanted[0, 2]) ** 2).sum() / (wanted[0, 2] ** 2).sum()
    neuron = (seen[0, 1, 3, 4] - wanted[0, 1, 3, 4]) ** 2 / wanted[0, 1, 3, 4] ** 2
    torch.testing.assert_close(objective({"conv1": seen})[0], -(filters + 0.5 * neuron))
    measured = objective.measure({"conv1": seen})
    assert list(measured) == ["normalized error of filter:conv1:2", "normalized error of neuron:conv1:1:3:4"]
    torch.testing.assert_close(measured["normalized error of filter:conv1:2"][0], filters.sqrt())
    torch.testing.assert_close(measured["normalized error of neuron:conv1:1:3:4"][0], neuron.sqrt())


def test_the_picture_itself_is_no_distance_away(tmp_path):
    Image.new("RGB", (8, 8), (200, 100, 0)).save(tmp_path / "a.png")
    classifier = TinyClassifier()
    objective = Inversion(layer("relu1"), image=str(tmp_path / "a.png"))
    objective.remember(classifier, (12, 12))
    picture = torch.tensor([200.0, 100.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8) / 255
    assert objective(classifier(picture, objective.layers)).abs().item() < 1e-6


def test_the_gradient_is_right(tmp_path):
    objective, _ = made(tmp_path, window=3)
    seen = torch.randn(1, 6, 7, 7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda seen: objective({"conv1": seen}), seen)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({}, "say which picture"), ({"image": "/nowhere.png"}, "no such file"),
     ({"image": "a.png", "window": 0}, "window"), ({"image": "a.png", "channels": (3, 3)}, "channels")],
)  # fmt: skip
def test_what_cannot_be_inverted_is_one_line(tmp_path, monkeypatch, settings, says):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (8, 8)).save("a.png")
    with pytest.raises(UserError, match=says):
        Inversion(layer(), **settings)


def test_a_mask_that_holds_nothing_is_refused(tmp_path):
    Image.new("RGB", (12, 12), (200, 100, 0)).save(tmp_path / "a.png")
    classifier = TinyClassifier()
    for settings, says in (({"channels": (2, 9)}, "conv1 has 4 channels"), ({"channels": [0.5, 2]}, "channels=")):
        with pytest.raises(UserError, match=says):
            Inversion(layer(), image=str(tmp_path / "a.png"), **settings).remember(classifier, (12, 12))
    with torch.no_grad():
        classifier.conv.weight.zero_()
        classifier.conv.bias.fill_(-1)
    with pytest.raises(UserError, match="is all 0"):
        Inversion(layer("relu1"), image=str(tmp_path / "a.png")).remember(classifier, (12, 12))


def test_channels_of_a_layer_where_they_are_unknown_have_to_be_stated():
    outline = Outline((), (Layer("conv1", "0", (6, 7, 7), axis=None),), {}, (8, 8))
    picture = torch.rand(1, 3, 8, 8)
    Inversion(layer(), outline, image=picture)  # all of them
    with pytest.raises(UserError, match=r"say which: conv1/1 or conv1/2 or conv1/3"):
        Inversion(layer(), outline, image=picture, channels=(0, 3))
    Inversion(layer("conv1/2"), outline, image=picture, channels=(0, 3))
