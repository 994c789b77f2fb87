"""Ten thousand odd targets: each can be written down and read again, or is one line that says what is wrong."""

import odd
import pytest
from conftest import TinyClassifier

from genviz.classifiers.labels import labels_of
from genviz.errors import LONGEST, UserError
from genviz.targets.grammar import parse_target
from genviz.targets.lists import parse_targets
from genviz.targets.selections import stand_in

OUTLINE = TinyClassifier.sketch()


def one_line(ask, text, labels):
    try:
        return ask(text, labels)
    except UserError as error:
        said = str(error)
        assert said, text
        assert len(f"genviz contributions: {said}") <= LONGEST, text
        assert said.isprintable() or not text.isprintable(), text
        assert "\n" not in said, text
        assert "\r" not in said, text
    return None


def single(text, labels):
    return parse_target(stand_in(text, OUTLINE), labels, OUTLINE.layers)


def several(text, labels):
    return parse_targets(text, labels, OUTLINE.layers, lambda entry: [stand_in(entry, OUTLINE)])


@pytest.mark.parametrize("seed", range(4))
def test_an_odd_target_is_one_line(seed):
    right = 0
    for text in odd.targets(2500, seed):
        if (found := one_line(single, text, OUTLINE.labels)) is not None:
            right += 1
            assert parse_target(str(found), OUTLINE.labels, OUTLINE.layers) == found
            assert 0 < len(found.folder.encode()) <= 120
    assert 20 < right < 1000


def test_so_is_one_of_a_thousand_classes_and_a_list():
    imagenet = labels_of("vgg16", None)
    for text in odd.targets(300, 10):
        one_line(single, text, imagenet)
    for text in odd.targets(1000, 11):
        one_line(several, text, OUTLINE.labels)
