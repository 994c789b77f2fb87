import numpy as np
import pytest
import torch
from drawn_blocks import blocks, cropped_and_turned
from PIL import Image
from torch import nn

import genviz
from genviz.errors import UserError
from genviz.matching.trace import trace


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cats").mkdir()
    for seed in range(3):
        Image.fromarray(blocks(seed, 64)).save(tmp_path / f"cats/{seed}.png")
    return tmp_path / "cats"


def test_a_notebook_shows_images_pictures_and_the_sentence(folder):
    image = torch.tensor(cropped_and_turned(blocks(1, 64))).permute(2, 0, 1) / 255
    traced = genviz.trace(image, folder, method=["harris", "sift"], noise=1, size=64, sift={"mutual": False})
    html = traced._repr_html_()
    assert html.count("<img") == 2 * (1 + 3)
    assert html.count("the highest, 1.png, contributes") == 2
    assert repr(traced).startswith("harris: the highest, 1.png")
    assert traced.found["sift"].images == ["image 1"]


def test_words_are_counted_as_their_class_does(folder):
    """`genviz.matching.words.Words` takes count."""
    words = {"count": np.int64(4), "standardize": "words"}
    traced = genviz.trace(folder / "1.png", folder, method="words", size=64, noise=0, words=words)
    assert traced.found["words"].scores.shape == (1, 3)


def test_it_finds_what_the_command_finds(folder, compose, tmp_path):
    words = [f"image={folder}/1.png", f"pictures={folder}", "size=64", "noise=1", "method=harris", "logger=none"]
    assert trace(compose(*words, name="trace")) == 0
    found = genviz.trace(folder / "1.png", folder, method="harris", size=64, noise=1).found["harris"]
    lines = (tmp_path / "outputs/trace/1/contributions.csv").read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in lines] == [found.pictures[number] for number in found.ranked()]
    assert [float(line.split(",")[3]) for line in lines] == pytest.approx(sorted(found.mean, reverse=True), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"method": "features"}, "method=features needs a network"),
        ({"method": "surf"}, "method=surf is unknown"),
        ({"surf": {}}, "surf= is no setting of a method; there are harris, sift and words"),
        ({"images": torch.zeros(1, 1, 8, 8)}, r"images of shape \(1, 1, 8, 8\) must be RGB"),
        ({"images": torch.zeros(3)}, r"images of shape \(3,\) must be RGB"),
        ({"images": 255 * torch.eye(8).expand(3, 8, 8)}, r"images from 0 to 255 must be RGB in \[0, 1\]"),
        ({"size": 0}, "size=0 must be a whole number from 32 to 2048"),
        ({"noise": -1}, "noise=-1 must be a whole number from 0"),
        ({"seed": -1}, "seed=-1 must be a whole number from 0"),
        ({"sift": {"residul": 3}}, "sift has no setting residul; there are residual, tries, mutual"),
        ({"sift": 3}, "sift=3 must be a dict of settings: residual, tries, mutual"),
        ({"harris": {"residual": -1}}, "harris.residual=-1 must be a number above 0"),
        ({"words": {"count": 1.5}}, "words.count=1.5 must be a whole number from 2 to 100000"),
        ({"words": {"words": 10}}, "words has no setting words; there are count, standardize, smooth"),
        ({"pictures": "/nowhere"}, "there is no such folder"),
    ],
)
def test_what_cannot_work_is_said(folder, given, says):
    with pytest.raises(UserError, match=says):
        genviz.trace(**({"images": folder / "1.png", "pictures": folder} | given))


def test_a_module_is_told_what_it_was_trained_with(folder):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    own = {"method": "features", "network": network, "noise": 0}
    with pytest.raises(UserError, match="the network does not say its input_size, mean, std; give input_size=224"):
        genviz.trace(folder / "1.png", folder, **own)
    traced = genviz.trace(folder / "1.png", folder, **own, input_size=32, mean=[0.5] * 3, std=[0.2] * 3)
    assert traced.found["features"].pictures[traced.found["features"].ranked()[0]] == "1.png"
