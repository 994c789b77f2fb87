import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from genviz.classifiers.fitted import Facts, FittedClassifier, export, read_facts
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.stretched import Stretched
from genviz.errors import UserError
from genviz.interfaces import SCORES

LABELS = ("airplane", "cat", "dog")


def written(folder, architecture="conv", space=None, size=(32, 32)):
    space = space or Stretched(mean=(0.4, 0.5, 0.6))
    network, path = build(architecture, len(LABELS), size).eval(), folder / "made.safetensors"
    facts = Facts(architecture, LABELS, size, space)
    export(network, path, facts, told={"data": "made up"})
    return network, path


@pytest.mark.parametrize("architecture", ["conv", "vonc", "squeezenet1_1"])
def test_a_file_brings_back_the_network(tmp_path, architecture):
    size = (64, 64) if architecture == "squeezenet1_1" else (32, 32)
    space = InputSpace(mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7))
    network, path = written(tmp_path, architecture, space, size)
    images = torch.rand(2, 3, *size)
    classifier = FittedClassifier(weights=str(path))
    expected = network(space(images))
    torch.testing.assert_close(classifier(images, [SCORES])[SCORES], expected)
    assert classifier.outline.labels == LABELS
    assert classifier.outline.input_size == size


def test_layers_have_the_papers_names(tmp_path):
    _, path = written(tmp_path)
    names = [layer.name for layer in FittedClassifier.sketch(weights=str(path)).layers]
    assert names[:4] == ["conv1_1", "relu1_1", "drop1", "conv1_2"]
    assert names[-5:] == ["fc4", "relu4", "drop4", "fc5", SCORES]
    _, path = written(tmp_path, "squeezenet1_1", size=(64, 64))
    assert "fire5" in [layer.name for layer in FittedClassifier.sketch(weights=str(path)).layers]


def test_the_stretching_and_what_replaces_it(tmp_path):
    network, path = written(tmp_path)
    images = torch.rand(1, 3, 32, 32)
    dark = FittedClassifier(weights=str(path))(0.25 * images, [SCORES])[SCORES]
    torch.testing.assert_close(dark, network(Stretched(mean=(0.4, 0.5, 0.6))(0.25 * images)))
    plain = FittedClassifier(weights=str(path), input_space={"scale": 4.0, "mean": [0.1, 0.2, 0.3]})
    x = 4 * images - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    torch.testing.assert_close(plain(images, [SCORES])[SCORES], network(x))


@pytest.mark.parametrize(("key", "value"), [
    ("format", "genviz.other.1"), ("architecture", "os.system"), ("labels", "{}"), ("labels", "[" * 2000),
    ("input_size", "[32]"), ("input_space", "[]"), ("input_space", '{"stretched": true, "mean": [1]}'),
])  # fmt: skip
def test_other_metadata_is_one_line(tmp_path, key, value):
    _, path = written(tmp_path)
    known = {
        "format": "genviz.fitted.1", "architecture": "conv", "labels": json.dumps(LABELS), "input_size": "[32, 32]",
        "input_space": json.dumps({"stretched": False}),
    }  # fmt: skip
    save_file(load_file(path), path, known)
    FittedClassifier(weights=str(path))
    save_file(load_file(path), path, known | {key: value})
    with pytest.raises(UserError, match="is not a network of genviz fit"):
        FittedClassifier.sketch(weights=str(path))


def test_damage_is_one_line(tmp_path):
    _, path = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1000])
    with pytest.raises(UserError, match="is not a network of genviz fit"):
        FittedClassifier(weights=str(path))
    with pytest.raises(UserError, match="there is no weights file"):
        FittedClassifier(weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(UserError, match="say which network"):
        FittedClassifier.sketch()
    path.write_bytes(whole)
    state = load_file(path)
    with pytest.raises(UserError, match="3 classes but there are 2 labels"):
        FittedClassifier(weights=str(path), labels=["a", "b"])
    assert len(state) == 16


def test_the_same_network_is_the_same_file(tmp_path):
    """So that runs made with it are those of the file that is written again."""
    network, path = written(tmp_path)
    facts = read_facts(path)
    contents = set()
    for _ in range(8):
        export(network, path, facts, told={"data": "cats"})
        contents.add(path.read_bytes())
    assert len(contents) == 1
