import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files.converted_file import FORMAT, Facts, read_facts, write
from genviz.errors import UserError

STATE = {"conv1.weight": torch.arange(6.0).view(1, 6, 1, 1)}
NORMS = {"norm1": Norm(5, 5e-4, 0.75, 2.0)}


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_the_mean_the_channels_and_the_normalizations_come_back(tmp_path, channels):
    space = InputSpace(channels=channels, scale=255.0, mean=(1.5, 2.0, 3.0))
    path = tmp_path / "net.safetensors"
    write(path, STATE, Facts("vgg_m", NORMS, space), source={"source": "net.mat"})
    found = read_facts(path)
    assert (found.classifier, found.norms, found.input_space.settings) == ("vgg_m", NORMS, space.settings)
    assert load_file(path)["conv1.weight"].equal(STATE["conv1.weight"])
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["genviz"])["source"] == "net.mat"
    assert [one.name for one in tmp_path.iterdir()] == ["net.safetensors"]


def test_a_mean_picture_comes_back(tmp_path):
    picture = 255 * torch.rand(3, 4, 5)
    facts = Facts("vgg_m", NORMS, MeanPicture(picture, channels="RGB"))
    write(tmp_path / "net.safetensors", STATE, facts, source={})
    assert read_facts(tmp_path / "net.safetensors").input_space.picture.equal(picture)


def test_the_same_network_is_the_same_file(tmp_path):
    """So that runs made with it are those of the file that is written again."""
    facts, source = Facts("vgg_m", NORMS, InputSpace()), {"source": "net.mat", "sha256": "0" * 64}
    written = set()
    for number in range(8):  # of several keys, safetensors would choose the order at random
        write(tmp_path / f"{number}.safetensors", STATE, facts, source=source)
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1


def test_without_a_mean_there_is_none(tmp_path):
    write(tmp_path / "net.safetensors", STATE, Facts("caffenet", {}, None), source={})
    assert read_facts(tmp_path / "net.safetensors") == Facts("caffenet", {}, None)


def test_other_files_say_nothing(tmp_path):
    save_file(STATE, tmp_path / "net.safetensors")
    assert read_facts(tmp_path / "net.safetensors") is None


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"classifier": "vgg_m", "norms": "[", "input_space": "null"},
        {"classifier": "vgg_m", "norms": '{"norm1": [5, 1]}', "input_space": "null"},
        {"classifier": "vgg_m", "norms": '{"norm1": [1e9, 1, 1, 1]}', "input_space": "null"},
        {"classifier": "vgg_m", "norms": "{}", "input_space": '{"channels": "RGB", "size": 3}'},
        {"classifier": "vgg_m", "norms": "{}", "input_space": "[" * 100_000},
    ],
)
def test_damage_is_one_line(tmp_path, metadata):
    save_file(STATE, tmp_path / "net.safetensors", {"format": FORMAT} | metadata)
    with pytest.raises(UserError, match="genviz convert writes it again"):
        read_facts(tmp_path / "net.safetensors")
