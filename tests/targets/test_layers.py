import pytest

from genviz.errors import UserError
from genviz.interfaces import Layer
from genviz.targets.grammar import parse_target
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.lists import parse_targets

LAYERS = (
    Layer("conv", "0", (4, 8, 6)),
    Layer("mix", "1", (5, 2, 3), axis=None),
    Layer("tokens", "2", (16, 9), axis=2),
    Layer("s.a", "s.a", (3,)),
    Layer("s.A", "s.A", (2,)),
    Layer("act", "act", (4,), aliases=("block.1", "block.3")),
    Layer("act_1", "act_1", (4,), aliases=("block.3",)),
)


def test_a_layer_is_found_by_each_of_its_names():
    assert find_layer("conv", LAYERS) is find_layer("0", LAYERS) is find_layer("CONV", LAYERS) is LAYERS[0]
    assert find_layer("block.1", LAYERS).name == "act"
    assert (find_layer("s.a", LAYERS).shape, find_layer("s.A", LAYERS).shape) == ((3,), (2,))


@pytest.mark.parametrize(
    ("name", "says"),
    [("S.A", "may be any of 2 layers: s.a, s.A"), ("block.3", "may be any of 2 layers: act, act_1"),
     ("convv", "nearest: conv"), ("conv/4", "dimensions 1 to 3"), ("conv/0", "dimensions 1 to 3"),
     ("nope/1", "no layer")],
)  # fmt: skip
def test_what_could_be_several_or_none_is_one_line(name, says):
    with pytest.raises(UserError, match=says):
        find_layer(name, LAYERS)


def test_a_dimension_can_be_stated():
    assert find_layer("conv/3", LAYERS)[:4] == ("conv/3", "0", (6, 4, 8), 3)
    assert find_layer("tokens/1", LAYERS)[:4] == ("tokens/1", "2", (9, 16), 1)
    assert find_layer("tokens/2", LAYERS) == LAYERS[2]  # which is the one it has
    assert find_layer("mix/2", LAYERS).shape == (2, 5, 3)


def test_where_it_must_be_stated_a_filter_without_is_one_line():
    assert find_layer("mix", LAYERS).axis is None
    with pytest.raises(UserError, match=r"mix is 5 x 2 x 3, and which .* say which: mix/1 or mix/2 or mix/3"):
        find_filters("mix", LAYERS)
    for text in ("filter:mix:1", "neuron:mix:1:1:1", "filter:mix:all"):
        with pytest.raises(UserError, match="say which"):
            parse_targets(text, "ab", LAYERS, lambda entry: [entry])


def test_a_target_keeps_its_dimension():
    target = parse_target("filter:MIX/3:2+1", "ab", LAYERS)
    assert str(target) == "filter:mix/3:2+1"
    assert [(unit.layer, unit.index) for unit in target.units] == [("mix/3", (2,)), ("mix/3", (1,))]
    assert parse_target(str(target), "ab", LAYERS) == target
    assert target.folder == "filter-mix-3-2+1"
    assert str(parse_target("filter:conv/1:0", "ab", LAYERS)) == "filter:conv:0"
    assert len(parse_targets("filter:mix/2:all", "ab", LAYERS, lambda entry: [entry])) == 2
    assert str(parse_target("layer:mix", "ab", LAYERS)) == "layer:mix"
