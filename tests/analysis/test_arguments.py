import functools

import numpy as np
import pytest
import torch
from torch import nn

from genviz.analysis.arguments import classifier_of, object_of, seeds_of, settings_of, word_of
from genviz.classifiers.metadata import Metadata
from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.regularizers.blur import Blur
from genviz.regularizers.total_variation import TotalVariation


@pytest.mark.parametrize(
    ("seeds", "found"), [(3, [3]), (np.int64(3), [3]), (np.array([3, 4]), [3, 4]), (range(2), [0, 1]), ((7,), [7])]
)
def test_seeds_are_whole_numbers_of_any_kind(seeds, found):
    assert seeds_of(1, seeds) == found
    assert seeds_of(len(found), seeds) == found


@pytest.mark.parametrize(
    ("images", "seeds", "says"),
    [(1, 1.5, "must be a whole number"), (1, "a", "must be a whole number"), (1, [0, -3], "from 0 to"), (1, [], "give"),
     (1, [2**32], "from 0 to"), (2, [1, 2, 3], "give a first seed"), (0, 1, "images=0 must be"),
     (1.5, 1, "images=1.5")],
)  # fmt: skip
def test_what_is_no_seed_is_one_line(images, seeds, says):
    with pytest.raises(UserError, match=says):
        seeds_of(images, seeds)


@pytest.mark.parametrize(
    ("word", "says"),
    [("logger=csv", "nothing is logged"), ("paths.outputs=a", "temporary"), ("seed=3", "use the argument seeds="),
     ("images=2", "images="), ("target=class:1", "target="), ("targets=class:1,class:2", "give one target")],
)  # fmt: skip
def test_settings_with_an_argument_of_their_own_are_refused(word, says):
    with pytest.raises(UserError, match=says):
        settings_of([word])


def test_settings_are_one_word_or_several():
    assert settings_of("updates=2") == ["updates=2"]
    assert settings_of(("updates=2", "optimizer.lr=1")) == ["updates=2", "optimizer.lr=1"]


def test_names_become_words():
    assert word_of("generator", "fourier") == "generator=fourier"
    assert word_of("objective", ["style", "content"]) == "objective=[style,content]"
    assert word_of("transform", []) is None
    assert word_of("generator", Pixels(size=(4, 4))) is None
    with pytest.raises(UserError, match="there can be only one"):
        word_of("generator", ["pixels", "fourier"])


def test_objects_are_taken_alone_and_in_lists():
    blur, variation, same = Blur(weight=1.0), TotalVariation(weight=1.0), nn.Identity()
    assert object_of("regularizer", blur) == {"blur": blur}
    assert object_of("regularizer", [blur, variation]) == {"blur": blur, "total_variation": variation}
    assert object_of("regularizer", {"own": blur}) == {"own": blur}
    assert object_of("transform", same) == [same]
    assert object_of("transform", []) == []
    assert object_of("transform", "flip") is None


@pytest.mark.parametrize(
    ("group", "given", "says"),
    [
        ("generator", 3, "a name, a Generator"), ("generator", nn.Identity(), "a name, a Generator"),
        ("objective", 5, "an Objective"), ("optimizer", torch.optim.SGD([torch.zeros(1)]), "a function that builds"),
        ("regularizer", ["blur", Blur(weight=1.0)], "not both"), ("regularizer", {"a": 3}, "must be names"),
        ("transform", ["flip", nn.Identity()], "not both"), ("transform", 3, "must be names"),
    ],
)  # fmt: skip
def test_what_is_no_part_is_one_line(group, given, says):
    with pytest.raises(UserError, match=says):
        object_of(group, given)


def test_what_builds_a_part_is_taken():
    built = functools.partial(Pixels, size=(4, 4))
    assert object_of("generator", built) is built
    assert object_of("optimizer", torch.optim.Adam) is torch.optim.Adam


@pytest.mark.parametrize("seeds", [np.int64(3), np.array(3), torch.tensor(3), np.uint8(3)])
def test_a_seed_and_a_count_may_be_numpys_or_torchs(seeds):
    assert seeds_of(np.int64(2), seeds) == [3]
    assert [type(seed) for seed in seeds_of(1, np.array([1, 2]))] == [int, int]


@pytest.mark.parametrize("own", [{"input_size": 64}, {"mean": (0, 0, 0)}, {"labels": ["a", "b"]}])
def test_nothing_is_said_about_a_network_that_goes_by_its_name(own):
    with pytest.raises(UserError, match=r"are for modules; .*load_classifier\('small', input_size="):
        classifier_of("small", Metadata(**{"input_size": None, "mean": None, "std": None, "labels": None, **own}))
