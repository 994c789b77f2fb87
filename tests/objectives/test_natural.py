import math
import shutil

import pytest
import torch
from conftest import TinyClassifier

from genviz import files, visualize
from genviz.classifiers.outline import sketch
from genviz.errors import UserError
from genviz.files import PHOTOGRAPHS, intact, shipped
from genviz.images.pictures import read_upright
from genviz.interfaces import Layer, Outline
from genviz.objectives.alignment import Alignment
from genviz.objectives.distributions import middle
from genviz.objectives.natural import Natural
from genviz.targets.grammar import parse_target

LAYERS = "layer:conv1@0.5+relu1"
NAMES = ("bison.jpg", "cup.jpg", "moose.jpg", "narwhal.jpg")


@pytest.fixture(autouse=True)
def _looked_at_again():
    intact.cache_clear()
    yield
    intact.cache_clear()


@pytest.fixture
def few(tmp_path):
    """Four photographs."""
    for name in NAMES:
        shutil.copy(shipped(PHOTOGRAPHS) / name, tmp_path)
    return tmp_path


def remembering(folder, classifier, text="class:3", layers=LAYERS, **settings):
    outline = classifier.outline
    targets = text if isinstance(text, list) else parse_target(text, outline.labels, outline.layers)
    objective = Natural(targets, outline, pictures=str(folder), layers=layers, **settings)
    objective.remember(classifier, (12, 12))
    return objective


def look(classifier, folder, name, layers):
    return classifier(middle(folder / name, (12, 12)), layers)


@pytest.mark.parametrize("within", [0, 0.5, 1, 2.5])
def test_only_what_exceeds_the_photographs_own_distance_counts(few, classifier, within):
    """In units of how far they are from their mean, and of what the target does."""
    objective = remembering(few, classifier, "class:1@2+class:3", within=within)
    real = [look(classifier, few, name, ["conv1", "relu1"]) for name in NAMES]
    torch.manual_seed(0)
    seen = classifier(torch.rand(3, 3, 12, 12), objective.layers)
    seen["scores"] = torch.tensor([[0.0, 0.5, 0, 3, 0, 0], [0, -2, 0, 1, 0, 0], [9, 10, 9, 9, 9, 9]])
    loss = torch.zeros(3)
    for layer, weight in (("conv1", 0.5), ("relu1", 1.0)):
        target = parse_target("class:3", classifier.outline.labels, classifier.outline.layers)
        alone = Alignment(target, classifier.outline, pictures=str(few), layers=f"layer:{layer}")
        alone.remember(classifier, (12, 12))
        apart = sum(-alone({layer: each[layer]}).item() for each in real) / len(real)
        loss += weight * (-alone({layer: seen[layer]}) / apart - within).clamp(min=0)
    assert (loss > 0).all() or within > 1
    torch.testing.assert_close(objective(seen), -loss * torch.tensor([4.0, 0.0, 29.0]), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(objective.measure(seen)["beyond photographs"], loss, rtol=1e-4, atol=1e-6)


def test_photographs_are_within(few, classifier):
    objective = remembering(few, classifier, within=2)
    for name in NAMES:
        seen = look(classifier, few, name, objective.layers)
        assert objective({**seen, "scores": torch.ones(1, 6)}).item() == 0
        assert objective({layer: 3 * activation for layer, activation in seen.items()}).item() < 0


def test_the_weight_is_the_same_whatever_the_scale(few, classifier):
    """A network whose activations are a hundred times as large is held as firmly."""
    plain = remembering(few, classifier, within=1)
    torch.manual_seed(0)
    seen = classifier(torch.rand(2, 3, 12, 12), plain.layers)
    seen["scores"] = torch.rand(2, 6)
    score = plain(seen)
    large = Louder()
    loud = remembering(few, large, within=1)
    torch.testing.assert_close(loud({name: 100 * each for name, each in seen.items()}), 100 * score, rtol=1e-3, atol=0)


class Louder(TinyClassifier):
    def forward(self, images, layers):
        return {layer: 100 * activation for layer, activation in super().forward(images, layers).items()}


def test_the_activation_is_a_constant_to_the_gradient(few, classifier):
    objective = remembering(few, classifier, within=0)
    seen = {
        name: each.requires_grad_() for name, each in classifier(torch.rand(1, 3, 12, 12), objective.layers).items()
    }
    objective({**seen, "scores": seen["scores"].relu() + 1}).sum().backward()
    assert seen["scores"].grad is None or not seen["scores"].grad.any()
    assert seen["relu1"].grad.any()


def test_many_targets_are_each_weighed_by_their_own(few, classifier):
    texts = ("class:1", "class:2")
    targets = [parse_target(text, classifier.outline.labels, classifier.outline.layers) for text in texts]
    together = remembering(few, classifier, targets, within=0.2)
    seen = classifier(torch.rand(4, 3, 12, 12), together.layers)  # two views of each
    seen["scores"] = seen["scores"].abs()
    alone = [remembering(few, classifier, text, within=0.2) for text in texts]
    parts = [part({name: each[2 * n : 2 * n + 2] for name, each in seen.items()}) for n, part in enumerate(alone)]
    torch.testing.assert_close(together(seen), torch.cat(parts))
    assert (together(seen) < 0).all()


def test_photographs_must_differ(few, classifier):
    for name in NAMES[1:]:
        shutil.copy(few / NAMES[0], few / name)
    with pytest.raises(UserError, match="give two or more that can be decoded and are not the same;"):
        remembering(few, classifier)


def test_one_photograph_or_damaged_ones_are_too_few(few, classifier):
    for name in NAMES[1:]:
        (few / name).write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="left out"), pytest.raises(UserError, match="give two or more"):
        remembering(few, classifier)


def test_its_photographs_ship_with_genviz(classifier):
    target = parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    objective = Natural(target, classifier.outline)
    assert len(objective.paths) == 41
    objective.remember(classifier, (12, 12))
    assert objective.wanted["relu1"].shape == (1, 4, 100)
    for path in objective.paths:
        assert read_upright(path).shape[2] == read_upright(path).shape[3] >= 200


@pytest.mark.parametrize("missing", [True, False])
def test_photographs_that_are_damaged_are_told(tmp_path, monkeypatch, classifier, missing):
    shutil.copytree(shipped(PHOTOGRAPHS), tmp_path / PHOTOGRAPHS)
    (tmp_path / PHOTOGRAPHS / "cup.jpg").unlink()
    if missing:
        shutil.rmtree(tmp_path / PHOTOGRAPHS)
    monkeypatch.setattr(files, "shipped_folder", lambda _: tmp_path)
    target = parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    with pytest.raises(UserError, match="/photographs, .* (missing|damaged).*git checkout -- checkpoints/photographs"):
        Natural(target, classifier.outline)


@pytest.mark.parametrize(("positions", "step"), [(100, 1), (99, 2), (25, 2), (24, 3), (1, 10)])
def test_of_large_maps_every_second_position_or_fewer_are_sorted(few, classifier, positions, step):
    objective = remembering(few, classifier, layers="layer:relu1", positions=positions, within=0)
    real = [look(classifier, few, name, ["relu1"])["relu1"][0, :, ::step, ::step] for name in NAMES]
    seen = classifier(torch.rand(1, 3, 12, 12), ["relu1"])

    def distance(maps):
        squares = []
        for channel in range(4):
            means = [sum(each) / 4 for each in zip(*(in_order(one[channel]) for one in real), strict=True)]
            squares += [(a - b) ** 2 for a, b in zip(in_order(maps[channel]), means, strict=True)]
        assert len(squares) == 4 * len(range(0, 10, step)) ** 2
        return sum(squares) / len(squares)

    expected = distance(seen["relu1"][0, :, ::step, ::step]) / (sum(map(distance, real)) / 4)
    assert objective({**seen, "scores": torch.ones(1, 6)}).item() == pytest.approx(-expected, rel=1e-3)


@pytest.mark.parametrize(
    ("architecture", "layers"),
    [("vgg16", "relu2_2 relu3_3 relu4_3 relu5_3"), ("squeezenet1_0", "fire4 fire8 features"),
     ("resnet50", "layer1 layer2 layer3 layer4"), ("swin_t", "features.3 features.5 norm"),
     ("densenet121", "features.denseblock1 features.denseblock2 features.denseblock3 features.denseblock4")],
)  # fmt: skip
def test_it_compares_each_block_but_the_first(few, architecture, layers):
    outline = sketch(architecture)
    objective = Natural(parse_target("class:1", outline.labels, outline.layers), outline, pictures=str(few))
    assert objective.layers == (*layers.split(), "scores")
    assert {unit.weight for unit in objective.compared.each[0].units} == {1}  # no scale to make up for


def test_of_a_single_block_it_takes_that(few):
    layers = (Layer("a", "0", (3, 4, 5)), Layer("scores", "scores", (2,)))
    outline = Outline(("u", "v"), layers, {}, (8, 8))
    objective = Natural(parse_target("class:u", outline.labels, layers), outline, pictures=str(few))
    assert objective.layers == ("a", "scores")


def test_a_target_that_shall_not_fire_is_held_while_it_does(few, classifier):
    objective = remembering(few, classifier, "class:1@-2", within=0)
    seen = classifier(torch.rand(2, 3, 12, 12), objective.layers)
    seen["scores"] = torch.tensor([[0.0, 3, 0, 0, 0, 0], [0, -3, 0, 0, 0, 0]])
    excess = objective.measure(seen)["beyond photographs"]
    torch.testing.assert_close(objective(seen), -excess * torch.tensor([6.0, 0.0]))


def test_alone_it_has_nothing_to_show(classifier):
    target = parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    with pytest.raises(UserError, match="add what it should show: 'objective=\\[activation,natural\\]'"):
        visualize("small", "class:1", objective=Natural(target, classifier.outline), updates=1, accelerator="cpu")


def test_hidden_files_beside_the_photographs_are_no_damage(tmp_path, monkeypatch):
    shutil.copytree(shipped(PHOTOGRAPHS), tmp_path / PHOTOGRAPHS)
    (tmp_path / PHOTOGRAPHS / "._cup.jpg").write_bytes(b"of a Mac")
    monkeypatch.setattr(files, "shipped_folder", lambda _: tmp_path)
    assert intact(PHOTOGRAPHS) == tmp_path / PHOTOGRAPHS


def test_where_photographs_do_not_differ_nothing_is_penalized(few):
    """A layer that is dead in all of them says nothing; nor do layers without positions."""
    classifier = TinyClassifier()
    classifier.conv.bias.fill_(-100)
    objective = remembering(few, classifier, within=0)
    seen = classifier(torch.rand(2, 3, 12, 12), objective.layers)
    seen["scores"] = torch.ones(2, 6)
    only = remembering(few, classifier, layers="layer:conv1@0.5", within=0)
    torch.testing.assert_close(objective({**seen, "relu1": torch.ones(2, 4, 10, 10)}), only(seen))
    flat = Outline(("u", "v"), (Layer("a", "0", (3,)), Layer("scores", "scores", (2,))), {}, (8, 8))
    objective = Natural(parse_target("class:u", flat.labels, flat.layers), flat)
    objective.remember(classifier, (8, 8))
    assert objective.layers == ("scores",)
    assert objective({"scores": torch.ones(3, 2)}).tolist() == [0, 0, 0]
    assert objective.measure({"scores": torch.ones(3, 2)})["beyond photographs"].tolist() == [0, 0, 0]


def test_of_many_photographs_it_takes_a_hundred_evenly(few, classifier):
    for number in range(250):
        shutil.copy(few / "cup.jpg", few / f"{number:03}.jpg")
    target = parse_target("class:1", classifier.outline.labels, classifier.outline.layers)
    assert [path.name for path in Natural(target, classifier.outline, pictures=str(few)).paths][:3] == [
        "000.jpg", "002.jpg", "005.jpg"
    ]  # fmt: skip


def in_order(numbers):
    return sorted(numbers.flatten().tolist())


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"positions": 0}, "positions=0 must be a whole number, 1 or more, or null"), ({"positions": 1.5}, "whole number"),
     ({"positions": True}, "whole number"), ({"layers": "class:1"}, "natural.layers must be layers"),
     ({"within": -1}, "natural.within=-1 must be 0 or more"), ({"within": float("nan")}, "within=nan must be"),
     ({"within": math.inf}, "within=inf must be")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(few, classifier, settings, says):
    with pytest.raises(UserError, match=says) as caught:
        remembering(few, classifier, **settings)
    assert "\n" not in str(caught.value)
