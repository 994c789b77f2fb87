import pytest

from genviz.errors import UserError
from genviz.targets.labels import find_class, nearest, slug

LABELS = ("tench", "Cardigan", "cardigan", "jack-o'-lantern", "lesser panda", "St. Bernard", "crane", "crane bird")


@pytest.mark.parametrize("name", ["lesser panda", "Lesser-Panda", "LESSER_PANDA", "lesserpanda", " lesser  panda "])
def test_case_spaces_and_hyphens_do_not_matter(name):
    assert find_class(name, LABELS) == 4


@pytest.mark.parametrize("name", ["jack-o'-lantern", "jack-o-lantern", "jack o’ lantern", "JACKOLANTERN"])
def test_apostrophes_do_not_matter(name):
    assert find_class(name, LABELS) == 3


def test_a_number_is_the_class_of_that_number():
    assert find_class("2", LABELS) == 2


def test_a_longer_label_is_not_its_beginning():
    assert find_class("crane", LABELS) == 6


def test_an_ambiguous_label_lists_its_classes_by_number():
    with pytest.raises(UserError, match=r"2 classes.*class:1 \(Cardigan\), class:2 \(cardigan\)"):
        find_class("cardigan", LABELS)


def test_an_unknown_label_names_the_nearest_and_the_command():
    with pytest.raises(UserError, match=r"lesser panda \(class:4\).*genviz labels"):
        find_class("leser panda", LABELS)


@pytest.mark.parametrize("number", ["8", "999999999999"])
def test_a_number_past_the_classes_says_how_many_there_are(number):
    with pytest.raises(UserError, match="numbered 0 to 7"):
        find_class(number, LABELS)


def test_nothing_but_punctuation_is_no_class():
    with pytest.raises(UserError, match="no class"):
        find_class("-'-", LABELS)


def test_slug_drops_accents():
    assert slug("Crème brûlée") == "cremebrulee"


def test_nearest_prefers_what_contains_the_name():
    assert nearest("panda", LABELS)[0] == "lesser panda"
