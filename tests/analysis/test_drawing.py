from functools import partial

import pytest
import torch
from noisy_pictures import noise
from torch import nn

from genviz.analysis.drawing import draw
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.objectives.inversion import Inversion
from genviz.objectives.style import Style
from genviz.optimizers.pre_image import PreImage
from genviz.regularizers.bounded_range import BoundedRange
from genviz.targets.grammar import parse_target


def visualize(classifier, text, **settings):
    return draw(classifier, parse_target(text, classifier.outline.labels, classifier.outline.layers), **settings)


@pytest.fixture
def network():
    torch.manual_seed(0)
    convolutions = (nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3))
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


def test_any_module_and_any_target_without_files(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    classifier = from_module(network, input_size=20, labels=["a", "b", "c", "d", "e"])
    seen = visualize(classifier, "class:c", updates=30, seeds=(0, 1), accelerator="cpu")
    assert seen.images.shape == (2, 3, 20, 20)
    assert torch.equal((seen.images * 255).round() / 255, seen.images)
    assert len(seen.metrics) == 30
    assert seen.metrics[-1]["activation"] > seen.metrics[0]["activation"]
    scores = classifier(seen.images, ["scores"])["scores"]
    for verdict, own in zip(seen.verdicts, scores, strict=True):
        assert verdict.activation == pytest.approx(own[2].item(), abs=1e-5)
        assert verdict.rank == 1 + int((own > own[2]).sum())
    assert not list(tmp_path.iterdir())
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_image_is_what_it_is_alone(network):
    classifier = from_module(network, input_size=16)
    both = visualize(classifier, "filter:2:3", updates=10, seeds=(3, 4), accelerator="cpu")
    alone = visualize(classifier, "filter:2:3", updates=10, seeds=(4,), accelerator="cpu")
    assert (both.images[1] - alone.images[0]).abs().max() <= 1 / 255


def test_the_papers_inversion(network, tmp_path):
    noise((30, 20), 90).convert("RGB").save(tmp_path / "cat.png")
    classifier = from_module(network, input_size=20)
    seen = visualize(
        classifier,
        "layer:0",
        generator=partial(Pixels, size=(20, 20), start="noise", noise=0.0, range="open"),
        objective=partial(Inversion, image=str(tmp_path / "cat.png"), weight=100.0),
        regularizers={"range": BoundedRange()},
        transforms=[],
        optimizer=PreImage,
        updates=60,
        accelerator="cpu",
    )
    assert seen.verdicts[0].verdict == "improved"
    assert seen.verdicts[0].measures["normalized error"] < 0.5


def test_several_objectives_and_tensors_for_pictures(network):
    classifier = from_module(network, input_size=20)
    picture = torch.rand(1, 3, 20, 20)
    target = "layer:0+layer:2@0.5"
    seen = visualize(classifier, target, objective=partial(Style, image=picture), updates=3, accelerator="cpu")
    assert set(seen.verdicts[0].measures) == {"style loss"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("class:9",), "there is no class 9: the 5 classes are numbered 0 to 4"),
        (("filter:layer9:3",), "no layer is called 'layer9'"),
        (("filter:0:99",), "0 has 6 channels, numbered 0 to 5, but no channel 99"),
    ],
)
def test_a_wrong_target_is_one_line(network, words, says):
    with pytest.raises(UserError, match=says):
        visualize(from_module(network, input_size=20), *words)


def test_a_generator_holds_an_image_for_each_seed(network):
    classifier = from_module(network, input_size=20)
    with pytest.raises(UserError, match="holds 1 images, but there are 2 seeds"):
        visualize(classifier, "class:1", generator=Pixels(size=(20, 20)), seeds=(0, 1))
