import json
from pathlib import Path

import numpy as np
import pytest

from genviz.classifiers.labels import labels_of, read_labels
from genviz.errors import UserError

WORDS = ("cat", "dog", "no")


@pytest.mark.parametrize(
    "given",
    [list(WORDS), WORDS, np.array(WORDS), (word for word in WORDS), dict(enumerate(WORDS)),
     {2: "no", 0: "cat", 1: "dog"}, {"0": "cat", "1": "dog", "2": "no"}, {"cat": 0, "dog": 1, "no": 2},
     {np.int64(n): word for n, word in enumerate(WORDS)}],
)  # fmt: skip
def test_a_list_or_a_dict_is_the_labels_in_the_order_of_the_scores(given):
    labels = read_labels(given)
    assert labels == WORDS
    assert {type(label) for label in labels} == {str}


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", "cat\n\n dog \nno\n"), ("a.txt", "\ufeffcat\r\ndog\r\nno"), ("a.names", "cat\ndog\nno"),
     ("a.json", '["cat", "dog", "no"]'), ("a.json", '{"1": "dog", "0": "cat", "2": "no"}'),
     ("a.JSON", '{"cat": 0, "dog": 1, "no": 2}'), ("a.yaml", "0: cat\n1: dog\n2: no\n"),
     ("a.yml", "- cat\n- dog\n- no\n"),
     ("a.txt", "{0: 'cat',\n 1: 'dog',\n 2: 'no'}\n"), ("a.txt", "['cat', 'dog', 'no']")],
)  # fmt: skip
def test_a_file_holds_a_label_a_line_or_a_list_or_a_dict(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_labels(tmp_path / name) == read_labels(str(tmp_path / name)) == WORDS


def test_keras_list_of_imagenet_keeps_wordnets_numbers(tmp_path):
    (tmp_path / "index.json").write_text(json.dumps({"0": ["n01440764", "tench"], "1": ["n02814860", "beacon"]}))
    assert read_labels(tmp_path / "index.json") == ("n01440764 tench", "n02814860 beacon")


def test_classes_that_a_dict_leaves_out_go_by_their_numbers():
    assert read_labels({1: "dog"}, 3) == ("0", "dog", "2")
    assert read_labels({1: "dog"}) == ("0", "dog")


@pytest.mark.parametrize(
    "given", [{"0": 0, "1": 1, "10": 2, "2": 3}, {0: "0", 1: "1", 2: "10", 3: "2"}, ["0", "1", "10", "2"]]
)
def test_labels_may_be_numbers(given):
    assert read_labels(given) == ("0", "1", "10", "2")


def test_numbers_of_which_either_may_be_the_class_are_one_line(tmp_path):
    (tmp_path / "a.json").write_text('{"0": 0, "1": 1, "10": 2, "2": 3}')
    assert read_labels(tmp_path / "a.json") == ("0", "1", "10", "2")
    (tmp_path / "a.yaml").write_text("0: 0\n1: 1\n10: 2\n2: 3\n")
    with pytest.raises(UserError, match="the labels are numbers, as their classes are; give a list"):
        read_labels(tmp_path / "a.yaml")
    (tmp_path / "a.txt").write_text("{0: 0, 1: 1, 2: 2}")
    assert read_labels(tmp_path / "a.txt") == ("0", "1", "2")


@pytest.mark.parametrize(
    "given",
    [5, [], {}, [1, 2], ["a", None], {0: 1}, {0: None}, {"a": "b"}, {-1: "a"}, {0.5: "a"}, {True: "a"},
     {"a": 0, "b": 0}, {0: "a", "0": "b"}, b"ab", {0: ["a", "b", "c"]}, {"a", "b"}],
)  # fmt: skip
def test_what_is_no_label_is_one_line(given):
    with pytest.raises(UserError, match="labels must be a list of words"):
        read_labels(given)


@pytest.mark.parametrize("text", ["", "\n \n", b"\xff\xfe\x00", "{0: 'cat'", "[}]"])
def test_a_file_without_labels_is_one_line(tmp_path, text):
    for name in ("a.txt", "a.json", "a.yaml"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        if (name, text) != ("a.txt", "{0: 'cat'") and (name, text) != ("a.txt", "[}]"):  # these are lines
            with pytest.raises(UserError):
                read_labels(tmp_path / name)
    with pytest.raises(UserError, match="cannot read the labels"):
        read_labels(Path("/nowhere.txt"))


def test_a_class_past_the_networks_is_one_line():
    with pytest.raises(UserError, match="name class 2, but the network has 2 classes, 0 to 1"):
        read_labels({1: "a", 2: "b"}, 2)
    with pytest.raises(UserError, match="name class 1, but the network has 1 class, whose opposite is class:0@-1"):
        read_labels({0: "cat", 1: "dog"}, 1)


def test_none_are_torchvisions():
    assert labels_of("vgg16", None)[593] == "harmonica"
    assert labels_of("vgg16", WORDS) == WORDS
