"""What only a network that knows things can show, on the one that comes with genviz."""

import json

import pytest
import torch

from genviz.classifiers.small import SmallClassifier
from genviz.images.pictures import read_image
from genviz.training import build, configuration
from genviz.training.train import train

WORDS = [
    *("classifier=small", "trainer.accelerator=cpu", "logger=none"),
    *("transform=views", "transform.views.scale=[0.8,1.6]", "lr_end=1", "regularizer.total_variation.weight=3"),
    *("objective.activation.lambda_others=null", "objective.activation.ramp=0"),
]
"""A setting that takes few updates."""
ROOTS = ("outputs", "checkpoints")


def made(tmp_path, *words):
    config = configuration.compose("train", [*words, *WORDS, *(f"paths.{root}={tmp_path}/{root}" for root in ROOTS)])
    assert train(config, build.target(config, build.sketch(config.classifier))) == 0
    (path,) = tmp_path.glob("outputs/*/*/*/result.json")
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def zebra(tmp_path_factory):
    """The folder of a run, and its result."""
    folder = tmp_path_factory.mktemp("zebra")
    return folder, made(folder, "target=class:zebra", "generator=untrained_small", "updates=60")


def test_a_class_comes_to_the_top(zebra):
    _, result = zebra
    assert result["rank"] <= 5
    assert result["verdict"] in ("recognised", "top five")


@pytest.mark.slow
def test_another_class_comes_to_the_top(tmp_path):
    result = made(tmp_path, "target=class:harmonica", "generator=untrained_small", "updates=60")
    assert result["rank"] <= 5
    assert result["verdict"] in ("recognised", "top five")


def test_a_random_network_of_the_same_kind_is_not_fooled_by_the_picture(zebra):
    """The check above can fail: what a network without knowledge makes of the picture is chance."""
    image = read_image(next(zebra[0].glob("outputs/*/*/*/final.png")))
    ranks = []
    for classifier in (SmallClassifier(), SmallClassifier(weights="random")):
        with torch.no_grad():
            scores = classifier(image, ["scores"])["scores"][0]
        ranks.append(int((scores > scores[340]).sum()))
    assert ranks[0] < 5 < 20 < ranks[1]


@pytest.mark.slow
def test_pixels_can_be_optimized_too(tmp_path):
    result = made(
        tmp_path, "target=class:zebra", "generator=pixels", "optimizer=adam", "optimizer.lr=0.02", "updates=60"
    )
    assert result["rank"] <= 5


@pytest.mark.slow
def test_a_filter_fires_more_than_for_noise(tmp_path):
    result = made(tmp_path, "target=filter:relu4_2:3", "generator=untrained_small", "updates=60")
    classifier = SmallClassifier()
    with torch.no_grad():
        noise = classifier(torch.rand(4, 3, 128, 128), ["relu4_2"])["relu4_2"][:, 3].mean()
    assert result["activation"] > 3 * float(noise)
