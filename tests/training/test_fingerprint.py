"""What two runs must share for one to go on with the other's checkpoint."""

from functools import partial

import pytest

from genviz.errors import UserError
from genviz.training import build, fingerprint

WORDS = [
    "target=class:harmonica",
    "classifier=embedded",
    "generator=pixels",
    "generator.size=[8,8]",
    "optimizer=adam",
    "lr_end=1",
]
"""Of a rate that stays."""


@pytest.fixture
def of(compose, classifier):
    def found(*words):
        config = compose(*WORDS, *words)
        return fingerprint.of_training(config, build.target(config, classifier.outline), "0" * 64, None)

    return found


def test_a_rate_that_rises_is_another_setting_and_one_that_does_not_is_that_of_older_checkpoints(of):
    of = partial(of, "objective.activation.ramp=0")
    assert "lr_rise" not in of()
    assert of("lr_rise=5") == {**of(), "lr_rise": "5"}
    assert of("lr_rise=5", "updates=7") == of("lr_rise=5")  # more updates change none of those that were made
    assert {"lr_end", "updates"} <= set(of("lr_rise=5", "lr_end=0.1"))


def test_the_pictures_of_a_folder_count_and_not_where_it_lies(of, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(b"123")
    words = ["objective=alignment"]
    first, second = (of(*words, f"pictures={tmp_path}/{name}") for name in ("a", "b"))
    assert first == second
    (tmp_path / "b" / "y.png").write_bytes(b"1")
    assert of(*words, f"pictures={tmp_path}/b") != first


def test_an_empty_folder_is_told_by_its_setting(of, tmp_path):
    with pytest.raises(UserError, match=r"^objective.alignment.pictures=.*: no picture in it"):
        of("objective=alignment", f"pictures={tmp_path}")


def test_a_picture_is_of_its_display(of):
    assert of("display=stretch") == {**of(), "display": "stretch"}
    assert of()["display"] == "rgb"


def test_settings_that_change_nothing_at_their_usual_values_are_left_out(of):
    of = partial(of, "objective.activation.ramp=0")
    assert not {"median", "snapshot_every", "lr_end", "updates", "lr_rise", "images"} & set(of())
    assert of("median=4", "snapshot_every=5") == {**of(), "median": "4", "snapshot_every": "5"}
    assert of("lr_end=0.1", "updates=7") == {**of(), "lr_end": "0.1", "updates": "7"}
    assert of("images=2") == {**of(), "images": "2"}


def test_the_pictures_of_a_pattern_count_as_well(of, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.png").write_bytes(b"123")
    word = f"+objective.activation.pictures={tmp_path}/**/*.png"
    before = of(word)
    (tmp_path / "a/y.png").write_bytes(b"1234")
    assert of(word) != before
    (tmp_path / "a/y.png").unlink()
    assert of(word) == before
