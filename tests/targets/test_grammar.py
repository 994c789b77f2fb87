import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genviz.classifiers.labels import labels_of
from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer
from genviz.targets.grammar import Target, check_spelling, parse_target

LABELS = ("ostrich", "bullfrog", "Cardigan", "cardigan", "jack-o'-lantern", "lesser panda")
LAYERS = (
    Layer("relu5_1", "features.25", (512, 14, 14)),
    Layer("fc6", "classifier.0", (4096,)),
    Layer("encoder", "encoder", (768, 197)),
    Layer(SCORES, SCORES, (6,)),
)


def parse(text: object) -> Target:
    return parse_target(text, LABELS, LAYERS)  # type: ignore[arg-type]


def units(text: str) -> list[tuple[object, ...]]:
    return [(unit.kind, unit.layer, unit.index, unit.weight) for unit in parse(text).units]


def test_a_class_by_label_and_by_number_is_the_same_target():
    assert parse("class:ostrich") == parse("class:0") == parse("CLASS:Ostrich")
    assert units("class:ostrich") == [("class", SCORES, (0,), 1.0)]


def test_a_piece_without_a_kind_takes_the_kind_and_layer_before_it():
    assert units("class:ostrich@0.7+bullfrog@0.3") == [("class", SCORES, (0,), 0.7), ("class", SCORES, (1,), 0.3)]
    assert [u[2] for u in units("filter:relu5_1:3+7+12")] == [(3,), (7,), (12,)]
    assert [u[2] for u in units("neuron:relu5_1:12:3:4+13:0:0")] == [(12, 3, 4), (13, 0, 0)]
    assert [u[1] for u in units("layer:relu5_1+fc6")] == ["relu5_1", "fc6"]


def test_kinds_mix():
    assert units("class:ostrich+filter:relu5_1:3@-2") == [
        ("class", SCORES, (0,), 1.0),
        ("filter", "relu5_1", (3,), -2.0),
    ]


def test_a_layer_goes_by_both_names():
    assert parse("layer:features.25") == parse("layer:relu5_1")


def test_a_neuron_of_a_fully_connected_layer_is_its_channel():
    assert units("neuron:fc6:4095") == [("neuron", "fc6", (4095,), 1.0)]
    assert units("neuron:encoder:767:196")[0][2] == (767, 196)


@pytest.mark.parametrize(
    "text",
    ["class:ostrich", "class:ostrich@0.7+bullfrog@0.3", "filter:relu5_1:3+7+12", "neuron:relu5_1:12:3:4+13:3:4@2.5",
     "layer:relu5_1", "class:3", "class:4", "class:0+filter:fc6:1+filter:relu5_1:2@1e-7", "class:0@123456789.125"],
)  # fmt: skip
def test_the_shortest_spelling_means_the_same(text):
    target = parse(text)
    assert parse(str(target)) == target
    assert re.fullmatch(r"[\w+@.:-]+", str(target))  # plain in Hydra, sh, bash and zsh


def test_every_spelling_has_one_folder_and_no_folder_two_targets():
    assert parse("class:0").folder == parse("class: OSTRICH ").folder == "class-ostrich"
    assert parse("class:2").folder != parse("class:3").folder
    long = ["filter:relu5_1:" + "+".join(str(i) for i in range(start, start + 100)) for start in (0, 1)]
    assert parse(long[0]).folder != parse(long[1]).folder
    assert len(parse(long[0]).folder) <= 120


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"), ("   ", "empty"), ("ostrich", "has no kind; write class:ostrich"), ("593", "class:593"),
        ("klass:ostrich", "no kind is called 'klass'"), ("class:", "a piece is empty"), ("class:ostrich+", "empty"),
        ("+class:ostrich", "kind"), ("class:ostrich@", "not a weight"), ("class:ostrich@x", "not a weight"),
        ("class:ostrich@0", "other than 0"), ("class:ostrich@1e999", "finite"), ("class:ostrich@nan", "not a weight"),
        ("class:ostrich@1@2", "not a weight"),
        ("class:ostrich+ostrich", "twice"), ("class:0+ostrich", "twice"),
        ("class:cardigan", "class:2"), ("class:6", "0 to 5"), ("class:emu", "no class"), ("class:-1", "no class"),
        ("filter:relu5_1", "needs a layer and a unit"), ("filter:relu5_1:", "empty"),
        ("filter:relu5_1:512", "0 to 511"),
        ("filter:relu5_1:x", "not a filter"), ("filter:relu5_1:1:2", "not a filter"), ("filter:relu9:1", "no layer"),
        ("filter:relu5_1:3+fc6:1", "not a filter"), ("neuron:relu5_1:1", "CHANNEL:ROW:COLUMN"),
        ("neuron:relu5_1:1:14:0", "0 to 13"), ("neuron:relu5_1:1:0:14", "column"), ("neuron:fc6:1:2", "CHANNEL"),
        ("layer:nope", "no layer"), ("layer:relu5", "relu5_1"), ("class:a,b", "contains ','"),
        ("class:{a}", "contains '{'"),
        ("class:$HOME", "contains"), ("class:a=b", "contains '='"), ("filter:relu5_1:²", "contains|not a filter"),
    ],
)  # fmt: skip
def test_a_malformed_string_is_one_line_that_says_why(text, says):
    with pytest.raises(UserError, match=says) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [593, 1.5, None, True, ["class:ostrich"], {"class": "ostrich"}])
def test_what_is_no_string_is_no_target(text):
    with pytest.raises(UserError, match="is not a target"):
        check_spelling(text)


PIECES = [
    "class",
    "filter",
    "neuron",
    "layer",
    "relu5_1",
    "fc6",
    "ostrich",
    "3",
    "12:3:4",
    ":",
    "+",
    "@",
    "0.5",
    "-",
    " ",
    "e",
]


@settings(max_examples=600, deadline=None, print_blob=True)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=12).map("".join)))
def test_any_string_is_a_target_or_one_clear_line(text):
    try:
        target = parse(text)
    except UserError as error:
        assert str(error)
        assert "\n" not in str(error)
    else:
        assert parse(str(target)) == target


def test_a_class_by_another_word_is_the_target_by_its_label():
    labels = labels_of("vgg16", None)
    targets = {parse_target(f"class:{name}", labels, ()) for name in ("beacon", "lighthouse", "n02814860", "437")}
    assert [(str(target), target.folder) for target in targets] == [("class:beacon", "class-beacon")]


def test_a_target_of_negative_weights_alone_silences_all_of_its_units():
    silent, mixed = parse("filter:relu5_1:3@-1+5@-0.5"), parse("class:ostrich+bullfrog@-1")
    assert (silent.silences, silent.decisive) == (True, (True, True))
    assert (mixed.silences, mixed.decisive) == (False, (True, False))
    assert parse(str(silent)) == silent
    assert silent.folder == "filter-relu5_1-3@-1.0+5@-0.5"
