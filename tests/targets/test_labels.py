import pytest

from genviz.classifiers.labels import labels_of
from genviz.errors import UserError
from genviz.targets.labels import find_class, nearest, slug, words_of
from genviz.targets.wordnet import synsets

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


@pytest.fixture(scope="module")
def imagenet():
    return labels_of("vgg16", None)


@pytest.mark.parametrize(
    ("name", "label"),
    [("lighthouse", "beacon"), ("n02814860", "beacon"), ("N02814860", "beacon"), ("Light-House", "beacon"),
     ("beacon", "beacon"), ("mouth organ", "harmonica"), ("hen of the woods", "hen-of-the-woods"),
     ("Canis familiaris", None), ("killer whale", "killer whale"), ("orca", "killer whale"),
     ("crane-bird", "crane bird")],
)  # fmt: skip
def test_imagenets_classes_answer_to_wordnets_words_and_number(imagenet, name, label):
    if label is None:
        with pytest.raises(UserError, match="no class"):
            find_class(name, imagenet)
    else:
        assert imagenet[find_class(name, imagenet)] == label


def test_every_label_and_every_wordnet_number_is_its_own_class(imagenet):
    for index, (label, synset) in enumerate(zip(imagenet, synsets(), strict=True)):
        assert find_class(synset.number, imagenet) == index
        if slug(label) != "cardigan":
            assert find_class(label, imagenet) == index


def test_a_label_goes_before_the_words_of_other_classes(imagenet):
    assert [imagenet[find_class(name, imagenet)] for name in ("harp", "partridge", "gong")] == [
        "harp", "partridge", "gong"
    ]  # fmt: skip


def test_a_word_of_two_classes_asks_which(imagenet):
    with pytest.raises(UserError, match=r"2 classes.*class:387 \(lesser panda\), class:388 \(giant panda\)$"):
        find_class("panda", imagenet)


def test_a_misspelt_word_names_the_nearest_word(imagenet):
    with pytest.raises(UserError, match=r"nearest: lighthouse \(class:437\)"):
        find_class("lighthose", imagenet)


def test_labels_that_list_their_words_or_wordnets_number_answer_to_each():
    labels = ("n02814860 beacon, lighthouse", "n01440764", "cat, house cat")
    assert [find_class(name, labels) for name in ("pharos", "lighthouse", "tench", "house cat", "n01440764")] == [
        0, 0, 1, 2, 1
    ]  # fmt: skip


def test_a_background_before_imagenets_classes_moves_their_words(imagenet):
    assert find_class("lighthouse", ("background", *imagenet)) == 438


def test_the_labels_of_other_networks_have_no_other_words():
    assert words_of(LABELS) == ((),) * len(LABELS)


@pytest.mark.parametrize(
    "name", ["-1", "--1", "- 1", "-0", "1.", "1.0", "0-1", "1/1", "²", "１", "9" * 5000, "-harmonica"]
)
def test_what_only_looks_like_a_number_or_a_label_is_no_class(imagenet, name):
    for labels in (imagenet, tuple(map(str, range(12)))):
        with pytest.raises(UserError, match="no class|have no names"):
            find_class(name, labels)


def test_a_label_of_digits_and_signs_is_found_as_it_is_written():
    labels = ("3.5", "35", "-1", "1-2", "12")
    assert [find_class(name, labels) for name in ("3.5", "3-5", "-1", "1-2")] == [0, 0, 2, 3]
    with pytest.raises(UserError, match="no class 35"):
        find_class("35", labels)


def test_a_single_score_has_an_opposite():
    assert find_class("0", ("dog",)) == 0
    with pytest.raises(UserError, match="single score, class:0; .* class:0@-1"):
        find_class("1", ("dog",))
