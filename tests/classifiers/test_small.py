import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from genviz.classifiers.plain import PlainNetwork
from genviz.classifiers.small import FILE, SmallClassifier, export, input_space, read_facts
from genviz.errors import UserError
from genviz.files import intact


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(f"thing {n}" for n in range(7)))
    return str(path)


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(0)
    network = PlainNetwork([[4], [5, 6]], 7, batch_norm=True)
    network(torch.rand(8, 3, 16, 16))
    path = tmp_path / "mine.safetensors"
    export(network, path, input_size=24, facts={"teacher": "someone"})
    return network, path


def test_what_was_trained_is_what_is_seen(exported, labels):
    network, path = exported
    classifier = SmallClassifier(weights=str(path), labels=labels)
    assert classifier.outline.input_size == (24, 24)
    assert classifier.weights_source == "mine.safetensors"
    images = torch.rand(2, 3, 24, 24)
    seen = classifier(images, ["scores", "relu2_2"])
    expected = network.eval()(input_space()(images))
    torch.testing.assert_close(seen["scores"], expected, rtol=0.02, atol=2e-3)  # half precision
    assert seen["relu2_2"].shape == (2, 6, 12, 12)


def test_a_file_says_what_it_is(exported):
    _, path = exported
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["genviz"])["facts"] == {"teacher": "someone"}
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118
    assert not list(path.parent.glob(".*"))


def test_the_same_network_is_the_same_file_and_one_of_an_older_version_is_read(exported, labels, tmp_path):
    network, path = exported
    first = path.read_bytes()
    for _ in range(4):
        export(network, path, input_size=24, facts={"teacher": "someone"})
        assert path.read_bytes() == first
    older = {"format": "genviz.plain.1", "widths": "[[4], [5, 6]]", "classes": "7", "input_size": "24", "facts": "{}"}
    save_file(load_file(path), tmp_path / "older.safetensors", older)
    assert read_facts(tmp_path / "older.safetensors") == read_facts(path)
    odd = {"genviz": "[]"}
    save_file(load_file(path), tmp_path / "odd.safetensors", odd)
    with pytest.raises(UserError, match="is not a small network"):
        SmallClassifier(weights=str(tmp_path / "odd.safetensors"), labels=labels)


def test_the_outline_needs_no_weights_and_is_the_networks(exported, labels):
    _, path = exported
    outline = SmallClassifier.sketch(weights=str(path), labels=labels)
    assert SmallClassifier(weights=str(path), labels=labels).outline == outline
    assert [layer.name for layer in outline.layers][-4:] == ["fc8", "relu8", "pool8", "scores"]
    assert outline.preactivations["scores"] == "relu8.input"


def test_random_weights_are_one_and_the_same_network():
    one, other = (SmallClassifier(weights="random", input_size=32) for _ in range(2))
    assert one.weights_sha256 == other.weights_sha256
    assert one.outline.input_size == (32, 32)


def test_what_is_no_small_network_is_one_line(tmp_path, exported, labels):
    _, path = exported
    torch.save({}, tmp_path / "x.pth")
    (tmp_path / "cut.safetensors").write_bytes(path.read_bytes()[:-40])
    for weights, says in (
        (tmp_path / "none.safetensors", "no weights file"),
        (tmp_path / "x.pth", "not a small network"),
        (tmp_path / "cut.safetensors", "not a small network"),
        (path, "7 classes but there are 1000 labels"),
    ):
        with pytest.raises(UserError, match=says):
            SmallClassifier(weights=str(weights))
    with pytest.raises(UserError, match="too small"):
        SmallClassifier(weights=str(path), labels=labels, input_size=1)


def test_the_shipped_one_is_small_and_knows_imagenets_classes():
    assert intact(FILE).stat().st_size <= 4_000_000
    classifier = SmallClassifier()
    assert len(classifier.outline.labels) == 1000
    assert classifier.outline.input_size == (128, 128)


@pytest.mark.real
def test_the_shipped_one_sees_what_the_pictures_show(data):
    """On the hundred pictures that it was not trained on: chance is 0.5 for the first five of a thousand."""
    from genviz.images.folders import find_pictures
    from genviz.learning.data import Centres, split

    pictures = find_pictures(data / "imagenet").pictures
    _, held_out = split(pictures, 10)
    crops = Centres(held_out, size=227, shorter=256)
    classifier, right = SmallClassifier(), 0
    for number in range(len(crops)):
        with torch.no_grad():
            scores = classifier(crops[number][None].float() / 255, ["scores"])["scores"]
        right += int(pictures.index(held_out[number]) in scores.topk(5).indices)
    assert right >= 5
