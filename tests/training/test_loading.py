import pytest
import torch

from genviz.classifiers.headed import HeadedClassifier
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.training.loading import load_classifier


def test_a_classifier_is_what_the_command_line_means():
    images = torch.rand(1, 3, 64, 64)
    found, wanted = load_classifier("small", input_size=64), SmallClassifier(input_size=64)
    assert torch.equal(found(images, ["scores"])["scores"], wanted(images, ["scores"])["scores"])
    assert isinstance(load_classifier("embedded"), HeadedClassifier)
    assert load_classifier("squeezenet1_1", weights="random").outline.labels[593] == "harmonica"


def test_what_cannot_be_loaded_is_one_line():
    for name, settings, says in (
        ("resnt50", {}, "resnet50"), ("small", {"weights": "/nowhere"}, "no weights file"),
        ("small", {"depth": 3}, "depth"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            load_classifier(name, **settings)


def test_labels_may_be_a_list_or_a_dict(tmp_path):
    labels = [str(number) for number in range(1000)]
    labels[7] = "cat"
    assert load_classifier("small", labels=labels).outline.labels[7] == "cat"
    assert load_classifier("small", labels={7: "cat", 999: "dog"}).outline.labels == (*labels[:999], "dog")
    with pytest.raises(UserError, match="no such setting"):
        load_classifier("small", lables=labels)
