import pytest

from genviz.classifiers.fitted import Facts, export
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.input_space import InputSpace


def test_detectors_have_layers(called):
    listed = called("layers", "ssdlite320_mobilenet_v3_large", "--input-size", "160")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[0].split() == 2 * ["backbone.features.0.0.0"] + ["16", "x", "80", "x", "80"]
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "91"]
    assert "objectness" not in listed.stdout


def test_a_misspelt_name_is_told(called):
    ended = called("layers", "ssdlite")
    assert ended.returncode == 2
    assert ended.stderr.startswith("genviz: torchvision has no classification model or detector called 'ssdlite'")


def test_the_networks_of_2012_to_2014_have_the_papers_names(called):
    listed = called("layers", "vgg_m")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[2].split() == ["norm1", "norm1", "96", "x", "109", "x", "109"]
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "1000"]


def test_a_fitted_network_goes_by_its_file(called, tmp_path):
    facts = Facts("vonc", ("a", "b"), (32, 32), InputSpace())
    export(build("vonc", 2, (32, 32)), tmp_path / "made.safetensors", facts, told={})
    listed = called("layers", "made.safetensors")
    assert listed.returncode == 0
    assert listed.stdout.splitlines()[0].split() == ["conv1_1", "conv1_1", "32", "x", "30", "x", "30"]
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "2"]
    for name, told in (("fitted", "genviz layers FILE.safetensors"), ("none.safetensors", "there is no weights file")):
        ended = called("layers", name)
        assert ended.returncode == 2
        assert told in ended.stderr


def test_a_network_that_is_known_by_its_settings(called):
    pytest.importorskip("efficientnet_lite_pytorch")
    assert "efficientnet_lite0 " in called("classifiers").stdout
    listed = called("layers", "efficientnet_lite0", "--input-size", "64")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[-1].split() == ["scores", "scores", "1000"]


def test_whose_convolutions_they_are_is_said(called):
    (line,) = [line for line in called("classifiers").stdout.splitlines() if line.startswith("embedded")]
    assert "Simonyan & Zisserman, Oxford, CC BY 4.0" in line
