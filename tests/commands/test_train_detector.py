"""Detectors on the command line, from their name to the verdict on the file."""

import json

import pytest

WORDS = ["classifier=ssdlite320_mobilenet_v3_large", "classifier.weights=random", "classifier.input_size=64"]
WORDS += ["generator=pixels", "regularizer=none", "updates=2", "logger=none", "trainer.accelerator=cpu"]


@pytest.mark.parametrize("target", ["class:person", "class:cat+person@-1", "filter:backbone.features.0.0.0:3"])
def test_a_picture_for_a_detector(called, tmp_path, target):
    ended = called("train", f"target={target}", *WORDS)
    assert ended.returncode == 0, ended.stderr
    (result,) = (json.loads(path.read_text()) for path in tmp_path.glob("outputs/*/*/*/result.json"))
    assert result["classifier"] == "ssdlite320_mobilenet_v3_large-random"
    assert all(0 <= seen["probability"] <= 1 for seen in result["top_classes"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["target=class:persn"], "no class is called 'persn'; nearest: person"),
        (["target=layer:objectness@-1"], "no layer is called 'objectness'"),
        (["target=class:person", "classifier.input_size=0"], "classifier.input_size=0 must be a number of pixels"),
        (["target=class:person", "classifier.boxes=some"], "classifier.boxes=some must be a whole number"),
        (["target=class:person", "classifier.input_space=caffe"], "input_space"),
    ],
)
def test_bad_settings_are_one_line(called, words, says):
    ended = called("train", *WORDS, *words)
    assert ended.returncode == 2
    assert says in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
