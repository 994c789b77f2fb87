"""On the real ImageNet SqueezeNet in Caffe's input space, where it is to be had; `test_meaning.py` needs none."""

import json

import pytest
import torch

from genviz.analysis import examples
from genviz.analysis.contributions import contributions
from genviz.classifiers.torchvision import TorchvisionClassifier
from genviz.images.pictures import read_image
from genviz.training import build, configuration
from genviz.training.train import train

pytestmark = pytest.mark.real


def words(data):
    weights = data / "squeezenet1_0_caffe.safetensors"
    return [
        "classifier=squeezenet1_0", f"classifier.weights={weights}", "classifier.input_space=caffe",
        "classifier.input_size=227", "trainer.accelerator=cpu", "logger=none",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def squeezenet(data):
    config = configuration.compose("train", ["target=class:1", *words(data)])
    return build.classifier(config.classifier)


def test_it_sees_what_the_pictures_show(squeezenet, data):
    """63.4 % top-1 on these pictures with a crop of the middle; a resize to a square costs little."""
    right = 0
    pictures = sorted((data / "imagenet").glob("*.jpg"))
    assert len(pictures) == 1000
    for number in range(0, 1000, 10):
        with torch.no_grad():
            scores = squeezenet(read_image(pictures[number]), ["scores"])["scores"]
        right += int(scores.argmax() == number)
    assert right >= 50


def test_its_scores_come_out_of_a_relu_and_have_a_preactivation(squeezenet, data):
    image = read_image(data / "pictures" / "lion.jpg")
    before = squeezenet.outline.preactivations["scores"]
    seen = squeezenet(image, ["scores", before, "conv10", "relu10"])
    torch.testing.assert_close(seen[before], seen["conv10"])
    torch.testing.assert_close(seen["conv10"].relu().mean((2, 3)), seen["scores"])
    assert (seen["conv10"] < 0).any()


@pytest.mark.slow
def test_a_hundred_and_fifty_updates_bring_a_class_to_the_top(data, compose, tmp_path):
    config = compose("target=class:zebra", *words(data), "generator=untrained_small", "updates=150")
    assert train(config, build.target(config, build.sketch(config.classifier))) == 0
    (path,) = tmp_path.glob("outputs/*/*/*/result.json")
    result = json.loads(path.read_text())
    assert result["rank"] <= 5
    assert result["classifier"] == "squeezenet1_0_caffe"
    assert result["verdict"] in ("recognised", "top five")


def test_a_wrong_input_space_is_worse(data):
    """The check above can fail: RGB in torchvision's space is not what these weights were trained on."""
    wrong = TorchvisionClassifier(
        architecture="squeezenet1_0", weights=str(data / "squeezenet1_0_caffe.safetensors"), input_size=227
    )
    pictures = sorted((data / "imagenet").glob("*.jpg"))
    right = sum(int(wrong(read_image(pictures[n]), ["scores"])["scores"].argmax() == n) for n in range(0, 1000, 25))
    assert right < 10


@pytest.mark.parametrize("number", [593, 340, 386])  # harmonica, zebra, African elephant
def test_a_class_misses_the_filters_that_contribute_most_to_it(squeezenet, data, number):
    picture = sorted((data / "imagenet").glob("*.jpg"))[number]
    image = examples.load(picture, squeezenet)
    found = contributions(squeezenet, number, "fire8", image)

    def score_without(filters):
        mask = torch.ones(512, 1, 1)
        mask[filters] = 0
        return squeezenet.through(image, "fire8", lambda activation: activation * mask)[0, number].item()

    whole = squeezenet(image, ["scores"])["scores"][0, number].item()
    assert score_without([]) == pytest.approx(whole, rel=1e-5)
    draws = torch.Generator().manual_seed(0)
    random = [score_without(torch.randperm(512, generator=draws)[:5]) for _ in range(20)]
    assert score_without(found.ranked()[:5]) < 0.9 * min(random)
    assert score_without(found.ranked(strongest=False)[:5]) > whole
