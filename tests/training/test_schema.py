from typing import Annotated

import pytest
from omegaconf import OmegaConf
from pydantic import Field

from genviz.errors import UserError
from genviz.training import configuration
from genviz.training.schema import (
    Ask,
    Count,
    Flag,
    Folder,
    Fraction,
    Group,
    Index,
    Kind,
    RunName,
    Settings,
    Share,
    fraction,
)
from genviz.training.settings import TrainSettings


class Inner(Settings):
    workers: Index = Field(description="how many")


class Own(Settings):
    updates: Count = Field(description="of the generator")
    target: Annotated[str, Ask("say what should fire"), Kind("a target")] = Field(description="what should fire")
    share: Share = Field(0.5, description="of something")
    resume: Flag = Field(True, description="or not")
    folder: Annotated[Folder | None, Kind("a folder")] = Field(None, description="of pictures")
    name: RunName = Field("a", description="of the run")
    every: Annotated[Count | list[Count], Kind("a number or a list")] = Field(1, description="updates")
    data: Inner
    optimizer: Group = Field(description="torch's")


GOOD = {"updates": 3, "target": "class:1", "data": {"workers": 0}, "optimizer": {"lr": "???"}}


def config(**changes):
    return OmegaConf.create(GOOD | changes)


@pytest.mark.parametrize(
    "changes",
    [{}, {"share": 1}, {"share": 0.25}, {"every": [2, 3]}, {"folder": None}, {"another": "setting"}, {"name": "a.b-c"}],
)
def test_what_is_of_its_kind_passes(changes):
    Own.check(config(**changes))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"updates": 0}, "updates=0 must be a whole number from 1 to 4294967295"),
        ({"updates": "abc"}, "updates=abc must be a whole number"),
        ({"updates": True}, "updates=True must be a whole number"),
        ({"updates": 2.5}, "updates=2.5 must be a whole number"),
        ({"updates": None}, "updates=null must be a whole number"),
        ({"updates": 2**32}, "to 4294967295"),
        ({"target": "???"}, "say what should fire"),
        ({"target": 5}, "target=5 must be a target"),
        ({"share": 1.5}, "share=1.5 must be a number from 0 to 1"),
        ({"share": float("nan")}, "share=nan must be a number from 0 to 1"),
        ({"share": False}, "share=False"),
        ({"resume": "maybe"}, "resume=maybe must be true or false"),
        ({"folder": ""}, "folder= must be a folder"),
        ({"folder": 3}, "folder=3 must be a folder"),
        (
            {"folder": "caf\udce9"},
            r"folder=caf\\udce9: the name is not UTF-8; rename it, or give a folder or a pattern",
        ),
        ({"name": "a/b"}, "name=a/b must be a folder name"),
        ({"every": [1, 0]}, "every=.* must be a number or a list"),
        ({"data": None}, "data is a group of settings: data.SETTING=VALUE"),
        ({"data": {"workers": -1}}, "data.workers=-1 must be a whole number from 0"),
        ({"optimizer": None}, "optimizer is a group of settings"),
        ({"optimizer": 5}, "optimizer is a group of settings"),
    ],
)
def test_what_is_not_is_one_line_with_the_setting_as_it_was_typed(changes, says):
    with pytest.raises(UserError, match=says) as caught:
        Own.check(config(**changes))
    assert "\n" not in str(caught.value)


def test_the_settings_are_listed_with_those_of_their_groups():
    listed = {setting.name: setting for setting in Own.listed()}
    assert list(listed) == [
        *("updates", "target", "share", "resume", "folder", "name", "every", "data.workers", "optimizer"),
    ]
    assert listed["data.workers"].help == "how many"
    assert listed["share"].kind == "a number from 0 to 1"


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "NaN", "1e999", "-1e999"])
@pytest.mark.parametrize(
    "setting",
    ["regularizer.total_variation.weight", "optimizer.lr", "objective.activation.lambda_others", "generator.sigma",
     "transform.views.rotate", "optimizer.betas", "lr_end", "objective.activation.weight", "++anything.at.all"],
)  # fmt: skip
def test_no_number_of_a_configuration_may_be_infinite_or_none(setting, number):
    value = f"[0.9,{number}]" if setting.endswith("betas") else number
    config = configuration.compose("train", ["target=class:0", f"++{setting.lstrip('+')}={value}"])
    with pytest.raises(UserError, match=f"^{setting.lstrip('+')}.*must be a (finite )?number"):
        TrainSettings.check(config)


@pytest.mark.parametrize("group", ["classifier", "generator", "optimizer"])
def test_a_training_without_one_of_its_parts_is_one_line(group):
    config = configuration.compose("train", ["target=class:0", f"~{group}"])
    with pytest.raises(UserError, match=f"there is no {group}; choose one"):
        TrainSettings.check(config)


class Small(Settings):
    xi: Fraction = Field(description="how large")


@pytest.mark.parametrize(
    ("given", "number"),
    [("8/255", 8 / 255), ("10 / 255", 10 / 255), ("0.03", 0.03), (0.03, 0.03), (1, 1.0), ("1", 1.0), ("1e-2", 0.01)],
)  # fmt: skip
def test_a_fraction_is_a_number_or_written_as_one(given, number):
    Small.check(OmegaConf.create({"xi": given}))
    assert fraction(given) == number


@pytest.mark.parametrize(
    "given",
    ["8/0", "0/255", 0, -1, "-8/255", 2, "300/255", "a", "", "8/", "1/2/3", True, None, "inf", "nan", [1], "1e999"],
)
def test_what_is_none_is_one_line(given):
    with pytest.raises(UserError, match=r"xi=.* must be a number above 0 and at most 1, or a fraction: 8/255$"):
        Small.check(OmegaConf.create({"xi": given}))


@pytest.mark.parametrize(("command", "words", "asked"), [
    ("explain", [], "say which picture to explain: image=FILE"),
    ("fool", [], "say which picture to perturb: image=FILE"),
    ("trace", [], "say which picture to trace: image=FILE"),
    ("trace", ["image=a.png"], "say what it may come from: pictures=FOLDER"),
    ("retrain", [], "say what to draw: target=class:NAME"),
    ("retrain", ["target=class:1"], "say which pictures it learns: pictures=FOLDER"),
    ("fit", [], "say where the labelled pictures are: data.root="),
])  # fmt: skip
def test_what_a_command_lacks_is_asked_for(called, command, words, asked):
    """Also where the training's own settings, which it extends, have null."""
    done = called(command, *words)
    assert done.returncode == 2
    assert asked in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
