import pytest

from genviz.classifiers.outline import sketch
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer, Outline
from genviz.targets.grammar import parse_target
from genviz.targets.selections import (
    check_selections,
    find_selections,
    last_features,
    replace_selections,
    stand_in,
    usual_layer,
)

LABELS = ("ostrich", "harmonica", "jack-o'-lantern", "zebra")
OUTLINE = Outline(
    LABELS,
    (
        Layer("fire8", "features.10", (8, 27, 27)),
        Layer("fire9", "features.12", (8, 13, 13)),
        Layer("conv10", "classifier.1", (4, 13, 13)),
        Layer("pool10", "classifier.3", (4, 1, 1)),
        Layer(SCORES, SCORES, (4,)),
    ),
    {},
    (227, 227),
    head="classifier.1",
)


def found(text):
    return [(s.layer, s.strongest, s.filters, s.label) for s in find_selections(text)]


def test_a_selection_says_a_layer_how_many_and_a_class():
    assert found("filter:fire8:top5:harmonica") == [("fire8", True, 5, "harmonica")]
    assert found(" Filter : fire8 : BOTTOM2:jack-o'-lantern @-0.5+class:zebra") == [
        ("fire8", False, 2, "jack-o'-lantern")
    ]


def test_a_piece_without_a_kind_takes_the_layer_before_it():
    assert found("filter:fire8:3+top2:zebra@2+class:zebra+filter:fire9:top1:1") == [
        ("fire8", True, 2, "zebra"),
        ("fire9", True, 1, "1"),
    ]


@pytest.mark.parametrize("text", ["class:harmonica", "filter:fire8:3+7@0.5", "layer:fire8", "neuron:fire8:top1:2:3"])
def test_other_targets_have_none(text):
    assert find_selections(text) == []


@pytest.mark.parametrize("unit", ["top5", "top:harmonica", "top", "bottom3:", "top5:"])
def test_half_a_selection_is_told_what_is_missing(unit):
    with pytest.raises(UserError, match=r"how many filters, or for which class: filter:fire8:(top|bottom)5:harmonica"):
        find_selections(f"filter:fire8:{unit}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("filter:fire8:top9:zebra", "fire8 has 8 filters, not 9 to choose from"),
        ("filter:fire8:top0:zebra", "fire8 has 8 filters, not 0"),
        ("filter:fire7:top1:zebra", "no layer is called 'fire7'"),
        ("filter:fire8:top1:zebr", "no class is called 'zebr'; nearest: zebra"),
        ("filter:fire8:top1:9", "there is no class 9"),
        ("filter:conv10:top1:zebra", "conv10 has no filters .* name a layer before it, such as fire9"),
        ("filter:pool10:top1:zebra", "pool10 has no filters"),
        ("filter:scores:top1:zebra", "scores has no filters"),
    ],
)
def test_what_the_classifier_does_not_have_is_told_without_its_weights(text, says):
    with pytest.raises(UserError, match=says):
        check_selections(text, OUTLINE)
    with pytest.raises(UserError, match=says):
        stand_in(text, OUTLINE)


def test_what_was_found_takes_the_weight_and_the_place():
    text = "class:zebra@2+filter:features.10:top2:harmonica@0.5+7+class:ostrich+harmonica"
    whole = replace_selections(text, [("fire8", [5, 1])])
    target = parse_target(whole, LABELS, OUTLINE.layers)
    assert [(unit.name, unit.weight) for unit in target.units] == [
        ("class:zebra", 2),
        ("filter:fire8:5", 0.5),
        ("filter:fire8:1", 0.5),
        ("filter:fire8:7", 1),
        ("class:ostrich", 1),
        ("class:harmonica", 1),
    ]


def test_a_filter_that_is_found_twice_has_the_sum_of_its_weights():
    text = "filter:fire8:top2:harmonica@0.5+top2:zebra@0.25+1@-0.75"
    whole = replace_selections(text, [("fire8", [5, 1]), ("fire8", [5, 2])])
    target = parse_target(whole, LABELS, OUTLINE.layers)
    assert {unit.index[0]: unit.weight for unit in target.units} == {5: 0.75, 1: -0.25, 2: 0.25}
    with pytest.raises(UserError, match="cancel"):
        replace_selections("filter:fire8:top1:harmonica+1@-1", [("fire8", [1])])


def test_a_unit_that_the_target_names_twice_is_still_refused():
    with pytest.raises(UserError, match="names class:zebra twice"):
        parse_target(stand_in("class:zebra+filter:fire8:top1:1+class:zebra", OUTLINE), LABELS, OUTLINE.layers)


@pytest.mark.parametrize("text", ["zebra", "filter:fire8:3+3", "class:zebra+", "clas:zebra"])
def test_a_target_without_a_selection_is_left_as_it_is(text):
    assert stand_in(text, OUTLINE) == text


def test_without_a_training_it_is_refused():
    with pytest.raises(
        UserError, match=r"'top5:zebra' is only found during training; here name the filters, filter:fire8:3\+7"
    ):
        parse_target("filter:fire8:top5:zebra", LABELS, OUTLINE.layers)


def test_stand_ins_of_opposite_weights_do_not_cancel():
    whole = stand_in("filter:fire8:top4:zebra+bottom4:zebra@-1", OUTLINE)
    assert len(parse_target(whole, LABELS, OUTLINE.layers).units) == 8


@pytest.mark.parametrize(
    ("architecture", "layer", "head"),
    [("squeezenet1_0", "fire9", "classifier.1"), ("vgg16", "relu5_3", "classifier.6"), ("resnet18", "layer4", "fc"),
     ("alexnet", "relu5", "classifier.6"), ("googlenet", "inception5b", "fc"), ("vit_b_16", "encoder", "heads.head")],
)  # fmt: skip
def test_the_usual_layer_is_the_last_that_has_positions_before_the_class_head(architecture, layer, head):
    outline = sketch(architecture)
    assert (usual_layer(outline).name, outline.head) == (layer, head)


def test_the_small_networks_usual_layer():
    outline = SmallClassifier.sketch()
    assert (usual_layer(outline).name, outline.head) == ("relu5_2", "fc8")


@pytest.mark.parametrize(
    ("architecture", "layer"),
    [("squeezenet1_0", "classifier.0"), ("vgg16", "avgpool"), ("resnet18", "layer4"), ("alexnet", "avgpool"),
     ("googlenet", "inception5b"), ("swin_t", "permute"), ("vit_b_16", "encoder")],
)  # fmt: skip
def test_the_last_features_are_maps_where_there_are_any_late_enough(architecture, layer):
    assert last_features(sketch(architecture)).name == layer


def test_without_classes_there_are_no_features_of_theirs():
    outline = SmallClassifier.sketch()
    assert last_features(outline).name == "relu5_2"
    assert last_features(outline._replace(labels=())) is None
    assert last_features(outline._replace(layers=outline.layers[-1:])) is None
