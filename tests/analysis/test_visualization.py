"""Python's front door: what the command line can do, in three lines, and nothing left behind."""

import json
import logging
import random
import threading
import warnings

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

from genviz.analysis.examples import drawn
from genviz.analysis.visualization import visualize
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.generators.fourier import Fourier
from genviz.generators.pixels import Pixels
from genviz.images.pictures import read_image
from genviz.objectives.activation import Activation
from genviz.regularizers.total_variation import TotalVariation

QUICK = {"updates": 3, "accelerator": "cpu"}
SPACE = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


@pytest.fixture
def network():
    torch.manual_seed(0)
    convolutions = (nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3))
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))


@pytest.mark.parametrize("experiment", [pytest.param(None, marks=pytest.mark.slow), "fourier_views"])
def test_it_is_the_picture_of_the_command_line(called, tmp_path, experiment):
    words = [] if experiment is None else [f"experiment={experiment}"]
    common = ["classifier=small", "updates=3", "logger=none", "trainer.accelerator=cpu"]
    done = called("train", "target=class:harmonica", *common, *words)
    assert done.returncode == 0, done.stderr
    (picture,) = tmp_path.glob("outputs/*/*/*/final.png")
    torch.manual_seed(9)  # which is nothing to it
    seen = visualize("small", "class:harmonica", experiment=experiment, **QUICK)
    assert torch.equal(seen.images, read_image(picture))
    result = json.loads(picture.with_name("result.json").read_text())
    assert seen.verdicts[0].activation == result["activation"]
    assert len(seen.metrics) == 3


def test_a_module_says_its_space_or_is_asked_for_it(network):
    with pytest.raises(UserError, match="does not say its input_size, mean, std; give input_size=224"):
        visualize(network, "class:1", **QUICK)
    with pytest.raises(UserError, match="does not say its mean, std"):
        visualize(network, "class:1", input_size=20, **QUICK)
    seen = visualize(network, "class:c", input_size=20, labels=list("abcde"), **SPACE, **QUICK)
    own = from_module(network, input_size=20, labels=list("abcde"), **SPACE)(seen.images, ["scores"])["scores"][0]
    assert seen.verdicts[0].activation == pytest.approx(own[2].item(), abs=1e-5)


def test_a_network_of_torchvisions_is_known():
    torch.manual_seed(0)
    network = torchvision.models.squeezenet1_1(weights=None)
    seen = visualize(network, "class:harmonica", generator=Fourier(size=(64, 64)), updates=1, accelerator="cpu")
    assert seen.target == "class:harmonica"


@pytest.fixture
def state():
    """What a process looks like."""

    def taken():
        return (
            torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist(),
            torch.is_grad_enabled(), list(warnings.filters), logging.getLogger("pytorch_lightning").level,
        )  # fmt: skip

    return taken


def test_the_process_is_left_as_it_was(network, state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    looks = []
    network.register_forward_hook(lambda *given: looks.append(given))
    network.train()
    before, weights = state(), {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        seen = visualize(network, "class:1", input_size=20, **SPACE, **QUICK)
        assert not torch.is_grad_enabled()
    assert state() == before
    assert not looks
    assert network.training
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not list(tmp_path.iterdir())
    folder = seen._outputs
    assert folder.exists()
    del seen
    assert not folder.exists()


def test_it_runs_in_any_thread(network):
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(visualize(network, "class:1", input_size=20, **SPACE, **QUICK))
    )
    thread.start()
    thread.join()
    assert len(seen[0].metrics) == 3


def test_each_image_is_what_it_would_be_alone(network):
    space = {"input_size": 16, "generator": "fourier", **SPACE, **QUICK}
    several = visualize(network, "filter:2:3", seeds=(3, 7), **space)
    alone = visualize(network, "filter:2:3", seeds=7, **space)
    assert several.images.shape == (2, 3, 16, 16)
    assert (several.images[1] - alone.images[0]).abs().max() <= 1 / 255
    following = visualize(network, "filter:2:3", images=2, seeds=6, **space)
    assert torch.equal(following.images[1], several.images[1])


def test_parts_are_names_or_objects(classifier):
    seen = visualize(
        classifier,
        "class:harmonica",
        generator=Pixels(size=(12, 12)),
        objective=lambda target, outline: Activation(target, outline, lambda_others=0.0),
        regularizers={"variation": TotalVariation(weight=0.25)},
        transforms=[],
        optimizer=lambda parameters: torch.optim.SGD(parameters, 0.1),
        **QUICK,
    )
    assert seen.images.shape == (1, 3, 12, 12)
    assert "penalty/variation" in seen.metrics[0]
    named = visualize(classifier, "class:harmonica", regularizers=["blur", "image_norm"], transforms="none", **QUICK)
    assert {"penalty/blur", "penalty/image_norm"} <= set(named.metrics[0])


def test_filters_are_found_by_what_they_contribute(classifier):
    seen = visualize(classifier, "filter:relu1:top2:tench", **QUICK)
    mean = classifier(drawn(classifier, 0).images, ["relu1"])["relu1"].mean((0, 2, 3))
    best = (classifier.head.weight[0] * mean).argsort(descending=True, stable=True)[:2].tolist()
    assert {unit.unit for unit in seen.verdicts[0].units} == {f"filter:relu1:{number}" for number in best}


@pytest.mark.parametrize(
    ("given", "says"),
    [({"input_size": (20, 0)}, "a number of pixels, or two"), ({"input_size": 0}, "a number of pixels"),
     ({"mean": 0.5}, "three"),
     ({"labels": [1, 2, 3, 4, 5]}, "a list of words"), ({"labels": 5}, "a list of words"),
     ({"target": ["class:1"]}, "must be one target"), ({"target": "class:dog"}, "give a number, such as class:1"),
     ({"network": nn.Linear}, "not the class Linear"), ({"network": 5}, "not 5")],
)  # fmt: skip
def test_an_argument_that_cannot_work_is_one_line(network, given, says):
    arguments = {"network": network, "target": "class:1", "input_size": 20, **SPACE, **QUICK, **given}
    with pytest.raises(UserError, match=says) as raised:
        visualize(**arguments)
    assert "\n" not in str(raised.value)


def test_what_came_out_is_shown_and_saved(classifier, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    seen = visualize(classifier, "class:jack-o'-lantern", images=2, **QUICK)
    page = seen._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert f"{seen.verdicts[0].verdict} ({seen.verdicts[0].explanation})" in page
    assert torch.equal(read_image(seen.save("~/a.png", 1))[0], seen.images[1])
    assert Image.open(seen.save(tmp_path / "a.jpg")).format == "JPEG"
    assert seen.video(tmp_path / "a.mp4").stat().st_size > 0
    sheet = seen.sheet()
    assert Image.open(sheet.save(tmp_path / "sheet.webp")).size == sheet.image.size
    assert "data:image/png" in sheet._repr_html_()
    with pytest.raises(UserError, match="the pictures are numbered 0 to 1"):
        seen.save(tmp_path / "b.png", 2)
    for save, name in ((seen.save, "a.tif"), (seen.video, "a.gif"), (sheet.save, "a")):
        with pytest.raises(UserError, match="the name must end in"):
            save(tmp_path / name)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"updates": 0}, "updates=0"), ({"seeds": ()}, "a first seed"), ({"images": 3, "seeds": (1, 2)}, "a first seed"),
     ({"experiment": "nope"}, "nope"), ({"generator": "nope"}, "nope"), ({"settings": ["nope=1"]}, "nope"),
     ({"input_size": 3}, "a classifier has its own")],
)  # fmt: skip
def test_what_cannot_work_is_one_line(classifier, settings, says):
    with pytest.raises(UserError, match=says):
        visualize(classifier, "class:tench", **({"accelerator": "cpu"} | settings))
