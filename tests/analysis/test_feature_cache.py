import os

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.analysis import feature_cache as module
from genviz.analysis.feature_cache import feature_layer, identity_of, look_through, pooled
from genviz.classifiers.from_module import from_module
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright
from genviz.interfaces import SCORES


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for number, name in enumerate(("a.png", "below/b.jpg", "c.png", "d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40 + number, 30), Image.Resampling.BICUBIC).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


@pytest.fixture
def counted(classifier, monkeypatch):
    """The classifier, and how many pictures it has been shown."""
    shown = []
    forward = type(classifier).forward

    def counting(self, images, layers):
        shown.append(len(images))
        return forward(self, images, layers)

    monkeypatch.setattr(type(classifier), "forward", counting)
    return classifier, shown


def test_each_picture_is_seen_as_it_is_alone(classifier, folder, capsys):
    found = look_through(folder, classifier, at_once=3)
    assert found.names == ["a.png", "below/b.jpg", "c.png", "d.png"]
    assert found.damaged == ["broken.jpg"]
    assert f"left out: {folder}/broken.jpg cannot be decoded" in capsys.readouterr().err
    for name, features, scores in zip(found.names, found.features, found.scores, strict=True):
        seen = classifier(read_upright(folder / name), ["relu1", SCORES])
        torch.testing.assert_close(scores, seen[SCORES][0])
        torch.testing.assert_close(features, seen["relu1"][0].mean((1, 2)))  # it has no head that is known


def test_what_was_seen_is_not_looked_at_again(counted, folder, tmp_path):
    classifier, shown = counted
    first = look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 4
    again = look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 4
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.scores, again.scores)
    os.utime(folder / "c.png", (1, 1))
    (folder / "d.png").unlink()
    Image.new("RGB", (9, 9)).save(folder / "e.png")
    last = look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 4 + 2  # the one that was changed, and the new one
    assert last.names == ["a.png", "below/b.jpg", "c.png", "e.png"]


def test_a_damaged_cache_is_made_again(counted, folder, tmp_path):
    classifier, shown = counted
    look_through(folder, classifier, cache=tmp_path / "seen")
    (file,) = (tmp_path / "seen").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:99])
    look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 8
    look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 8


def test_another_layer_or_network_has_a_cache_of_its_own(counted, folder, tmp_path):
    classifier, shown = counted
    look_through(folder, classifier, cache=tmp_path / "seen")
    found = look_through(folder, classifier, features="scores", cache=tmp_path / "seen")
    assert torch.equal(found.features, found.scores)
    classifier.weights_sha256 = "1" * 64
    look_through(folder, classifier, cache=tmp_path / "seen")
    assert sum(shown) == 12


def test_a_long_look_is_kept_on_the_way(counted, folder, tmp_path, monkeypatch):
    classifier, shown = counted
    monkeypatch.setattr(module, "_KEEP_EVERY", 0.0)
    load = module.load

    def interrupted(path, classifier):
        if path.name == "d.png":
            raise KeyboardInterrupt
        return load(path, classifier)

    monkeypatch.setattr(module, "load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        look_through(folder, classifier, cache=tmp_path / "seen", at_once=1)
    monkeypatch.setattr(module, "load", load)
    look_through(folder, classifier, cache=tmp_path / "seen", at_once=1)
    assert sum(shown) == 4


def test_a_name_need_not_be_utf8(classifier, folder, tmp_path, capsys):
    path = os.fsencode(folder) + b"/caf\xe9.png"
    with open(path, "wb") as file:
        Image.new("RGB", (9, 9)).save(file, "PNG")
    with open(os.fsencode(folder) + b"/\xe9.png", "wb") as file:
        file.write(b"nothing")
    for _ in range(2):
        assert len(look_through(folder, classifier, cache=tmp_path / "seen").names) == 5
    assert "\\udce9.png cannot be decoded" in capsys.readouterr().err


def test_a_folder_without_a_sound_picture_is_told(classifier, tmp_path):
    with pytest.raises(UserError, match="pictures=.*there is no such folder"):
        look_through(tmp_path / "nowhere", classifier)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of its 1 pictures can be decoded"):
        look_through(tmp_path, classifier)


def test_the_features_are_what_the_class_head_weighs(classifier):
    small = SmallClassifier(weights="random", input_size=32)
    layer = feature_layer(small.outline)
    assert layer == "fc8.input"
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(small(image, [layer])[layer], small(image, ["relu5_2"])["relu5_2"])
    assert feature_layer(small.outline, "RELU3_1") == "relu3_1"
    with pytest.raises(UserError, match="no layer is called 'relu9'"):
        feature_layer(small.outline, "relu9")
    assert feature_layer(classifier.outline) == "relu1"


def test_features_are_the_mean_of_the_positions():
    activation = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(pooled(activation), activation.mean((2, 3)))
    assert pooled(activation[..., 0, 0]).shape == (2, 3)


def test_an_identity_is_the_weights_and_all_that_changes_what_is_seen():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    made = [from_module(network, input_size=12), from_module(network, input_size=12)]
    made += [from_module(network, input_size=13), from_module(network, input_size=12, mean=(0, 0, 0))]
    made += [from_module(network, input_size=12, resize=False)]
    names = [identity_of(classifier) for classifier in made]
    assert names[0] == names[1]
    assert len(set(names)) == 4
