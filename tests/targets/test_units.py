import pytest
import torch

from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer
from genviz.targets.grammar import Target, Unit, parse_target
from genviz.targets.responses import responses
from genviz.targets.units import Targets, Units

LAYERS = (Layer("conv", "conv", (2, 2, 3)), Layer("fc", "fc", (5,)), Layer(SCORES, SCORES, (4,)))


def target(text):
    return parse_target(text, ("a", "b", "c", "d"), LAYERS)


def read(text, seen):
    """The activations and the ranks of a single target's units, all in one layer and of one kind."""
    reading = Targets(target(text)).to(seen[SCORES].dtype).read(seen)
    return reading.activations[0], reading.ranks[0]


@pytest.fixture
def seen():
    torch.manual_seed(0)
    return {
        "conv": torch.randn(3, 2, 2, 3, dtype=torch.float64),
        "fc": torch.randn(3, 5, dtype=torch.float64),
        SCORES: torch.tensor([[1.0, 3.0, 2.0, 3.0]] * 3, dtype=torch.float64),
    }


def test_a_filter_is_the_mean_over_its_positions(seen):
    expected = sum(seen["conv"][:, 1, i, j] for i in range(2) for j in range(3)) / 6
    torch.testing.assert_close(read("filter:conv:1", seen)[0][:, 0], expected)


def test_a_neuron_is_at_its_channel_row_and_column(seen):
    torch.testing.assert_close(read("neuron:conv:1:0:2", seen)[0][:, 0], seen["conv"][:, 1, 0, 2])
    units = Units("conv", "neuron", [target("neuron:conv:1:0:2")])
    assert units.columns(seen["conv"]).tolist() == [[1 * 6 + 0 * 3 + 2]] * 3


def test_a_layer_is_the_mean_of_all(seen):
    torch.testing.assert_close(read("layer:conv", seen)[0][:, 0], seen["conv"].mean((1, 2, 3)))
    assert responses(seen["conv"], "layer").shape == (3, 1)


def test_a_fully_connected_unit_is_itself(seen):
    for kind in ("filter", "neuron"):
        torch.testing.assert_close(read(f"{kind}:fc:4", seen)[0][:, 0], seen["fc"][:, 4])


def test_rank_one_is_the_strongest_and_equals_are_behind_each_other(seen):
    ranks = [read(f"class:{name}", seen)[1][0, 0].item() for name in "abcd"]
    assert ranks == [4, 2, 3, 2]
    dead = {SCORES: torch.zeros(1, 4)}
    assert read("class:a", dead)[1].item() == 4  # not first among equals


def test_a_mixture_is_the_weighted_sum():
    mixture = Targets(target("class:a@0.7+b@-0.3"))
    total = mixture.total(lambda units: torch.tensor([[1.0, 2.0]]))
    torch.testing.assert_close(total, torch.tensor([0.7 - 0.6]))


@pytest.mark.parametrize("index", [(3, 48, 0), (3, 0, 48), (5, 0, 0), (3, 60, 60)])
def test_a_neuron_beyond_a_smaller_pictures_map_is_no_other_one(index):
    """Without resizing, a map can be smaller than the outline's, by which a target is understood."""
    unit = Unit("neuron", "a", index, 1.0, ":".join(map(str, index)))
    with pytest.raises(UserError, match=unit.name):
        Targets(Target((unit,))).activation({"a": torch.zeros(1, 5, 48, 48)})


def test_where_nothing_should_fire_the_weakest_is_first_and_ties_take_the_first_rank(seen):
    assert read("class:a@-1", seen)[1][0].tolist() == [1]
    assert read("class:b@-1+d@-1", seen)[1][0].tolist() == [3, 3]
    assert read("class:a+b@-1", seen)[1][0].tolist() == [4, 2]  # not alone: from the strongest


@pytest.mark.parametrize("text", ["class:a", "class:a@-1"])
def test_what_is_not_a_number_is_last(seen, text):
    seen[SCORES][0, 0] = float("nan")
    assert read(text, seen)[1][0].tolist() == [4]
