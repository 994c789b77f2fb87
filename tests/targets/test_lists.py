"""targets=: one string, many targets."""

import pytest
from conftest import LABELS, TinyClassifier

from genviz.errors import UserError
from genviz.targets.lists import parse_targets

LAYERS = TinyClassifier.sketch().layers
MIDDLE = ":".join(str(side // 2) for side in LAYERS[1].shape[1:])


def names(text):
    return [str(target) for target in parse_targets(text, LABELS, LAYERS, choose)]


def choose(entry):
    assert "top" in entry
    return ["filter:relu1:3", "filter:relu1:1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("class:1-3", ["class:harmonica", "class:2", "class:3"]),
        ("class:5-5", ["class:lesser-panda"]),
        ("filter:relu1:all", [f"filter:relu1:{n}" for n in range(4)]),
        ("filter:0:1-2", ["filter:conv1:1", "filter:conv1:2"]),
        ("neuron:relu1:2-3", [f"neuron:relu1:{n}:{MIDDLE}" for n in (2, 3)]),
        (
            "neuron:relu1:all,neuron:relu1:0:0:0",
            [*(f"neuron:relu1:{n}:{MIDDLE}" for n in range(4)), "neuron:relu1:0:0:0"],
        ),
        ("neuron:scores:1-1", ["neuron:scores:1"]),
        ("layer:all", ["layer:conv1", "layer:relu1", "layer:scores"]),
        ("class:tench,filter:relu1:2", ["class:tench", "filter:relu1:2"]),
        (" class:tench , CLASS:HARMONICA ,", ["class:tench", "class:harmonica"]),
        ("class:tench+harmonica@0.5,class:0", ["class:tench+harmonica@0.5", "class:tench"]),
        ("class:tench,class:0,class:0-1", ["class:tench", "class:harmonica"]),
        ("filter:relu1:2+3", ["filter:relu1:2+3"]),
        ("filter:relu1:top2:harmonica,filter:relu1:1", ["filter:relu1:3", "filter:relu1:1"]),
    ],
)
def test_entries(text, expected):
    assert names(text) == expected


def test_a_class_may_be_called_as_a_range_looks():
    ages = ("0-2", "4-6", "8-12", "all", "25-32", "38-43")
    found = parse_targets("class:4-6,class:25-32,class:0-1", ages, LAYERS, choose)
    assert [target.units[0].index for target in found] == [(1,), (4,), (0,)]
    assert len(parse_targets("class:all", ages, LAYERS, choose)) == 6
    assert parse_targets(",".join(map(str, found)), ages, LAYERS, choose) == found


@pytest.mark.parametrize("text", ["all", "class:all", "class:ALL,class:tench"])
def test_all_classes(text):
    assert len(names(text)) == len(LABELS)


def test_a_file_has_an_entry_a_line(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text(
        "\ufeff# what I want\nclass:tench\n\n  filter:relu1:0-1  # two\nclass:harmonica,class:tench\n", "utf-8"
    )
    assert names(str(path)) == ["class:tench", "filter:relu1:0", "filter:relu1:1", "class:harmonica"]
    assert names(f"layer:conv1,{path}")[0] == "layer:conv1"


def test_a_wrong_line_is_named(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("class:tench\nclass:tensh\n")
    with pytest.raises(UserError, match=r"mine.txt, line 2: .*no class is called 'tensh'.*nearest: tench"):
        names(str(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no target"),
        (",,", "names no target"),
        ("nofile.txt", "there is no such file"),
        ("harmonica", "there is no such file, and it names no target"),
        ("class:3-1", "the smaller number first"),
        ("class:0-6", "numbered 0 to 5"),
        ("filter:relu1:0-4", "numbered 0 to 3"),
        ("filter:relu7:all", "no layer is called 'relu7'"),
        ("class:tench,class:", "a piece is empty"),
        ("neuron:relu1:0-4", "numbered 0 to 3"),
        ("neuron:relu1:3:0-1", "no layer is called 'relu1:3'"),
    ],
)
def test_a_wrong_entry_is_one_line(text, told):
    with pytest.raises(UserError, match=told):
        names(text)


def test_a_file_that_is_no_text_is_told_of(tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(UserError, match="cannot be read as text"):
        names(str(path))
