import pytest

from genviz.errors import UserError
from genviz.files import SHIPPED
from genviz.targets.grammar import parse_target
from genviz.training import build, configuration, fingerprint


@pytest.mark.parametrize("value", ["1.5", "abc", "true"])
def test_a_part_that_is_no_group_of_settings_is_one_line(compose, value):
    config = compose("target=class:harmonica", f"transform.views={value}", f"regularizer.code_l2={value}")
    for make, name in ((build.transforms, "transform.views"), (build.regularizers, "regularizer.code_l2")):
        with pytest.raises(UserError, match=f"{name}=.* must be a group of settings.*~{name} leaves it out"):
            make(config)


def test_a_training_without_an_objective_is_one_line(compose, classifier):
    config = compose("target=class:harmonica", "~objective")
    with pytest.raises(UserError, match="there is no objective; give one"):
        build.objective(config, build.target(config, classifier.outline), classifier.outline)


def test_a_part_that_is_null_and_a_group_that_is_left_out_are_none(compose, classifier):
    config = compose("target=class:harmonica", "transform.views=null", "~regularizer")
    assert len(build.transforms(config)) == 2
    assert build.regularizers(config) == {}
    target = parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    own = fingerprint.of_training(config, target, "0" * 64, None)
    usual = fingerprint.of_training(compose("target=class:harmonica"), target, "0" * 64, None)
    gone = ("transform.views.views", "regularizer.code_l2._target_")
    assert all(name in usual and name not in own for name in gone)
    assert own["transform.views"] == "None"


@pytest.mark.parametrize("text", ["class:2", "filter:relu1_1:3+7@0.5", "class:1@-1", "neuron:conv1_1:1:2:3"])
def test_the_yaml_of_another_target_is_as_if_written_for_it(text):
    words = ["classifier=small", "target=class:harmonica"]
    mine = configuration.compose("train", words)
    other = configuration.compose("train", [words[0], f"target={text}"])
    target = build.target(other, build.sketch(other.classifier))
    other.target = str(target)
    assert build.with_target(build.as_yaml(mine), target) == build.as_yaml(other)


def test_the_photographs_that_ship_are_part_of_what_a_run_is(compose, classifier, tmp_path, monkeypatch):
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path)  # a folder of that name changes nothing
    config = compose("target=class:harmonica", "experiment=natural_views")
    own = fingerprint.of_training(config, build.target(config, classifier.outline), "0" * 64, None)
    assert own["objective.natural.pictures"] == f"sha256 {SHIPPED['photographs'][:16]}"


def test_a_classifier_knows_the_settings_that_decide_what_it_sees(compose):
    config = compose(
        "target=class:harmonica", "classifier=small", "classifier.input_size=32", "classifier.weights=random"
    )
    made = build.classifier(config.classifier)
    assert made.built_from["input_size"] == 32
    assert "weights" not in made.built_from
    assert build.deciding({"weights": "a.pth", "boxes": 3}) == {"boxes": 3}
