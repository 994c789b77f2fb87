import pytest
import torch
from torch import nn

from genviz.classifiers.tracing.place import Place, input_place, place_of
from genviz.interfaces import Layer


@pytest.mark.parametrize(
    ("shape", "place", "ordered"),
    [((2, 5, 3, 4), Place("a"), (2, 5, 3, 4)), ((2, 3, 4, 5), Place("a", axis=3), (2, 5, 3, 4)),
     ((7, 2, 5), Place("a", batch=1, axis=2), (2, 5, 7)), ((8, 7, 5), Place("a", axis=3), (2, 5, 4, 7)),
     ((2, 3, 4), Place("a", axis=None), (2, 3, 4)), ((2, 3, 5), Place("a", axis=-1), (2, 5, 3))],
)  # fmt: skip
def test_an_activation_is_put_in_order_and_back(shape, place, ordered):
    value = torch.rand(shape)
    seen = place.ordered(value, 2)
    assert seen.shape == ordered
    assert torch.equal(place.restored(seen, value), value)


def test_the_input_of_a_layer_is_in_its_order_unless_the_module_weighs_channels():
    maps = Layer("a", "m", (5, 3, 4), axis=3, batch=1)
    assert place_of(maps) == ("m", 1, 3)
    assert input_place(maps, nn.ReLU()) == ("m.input", 1, 3)
    assert input_place(maps, nn.Linear(2, 5)).axis == -1
    assert input_place(maps, nn.Conv2d(2, 5, 1)).axis == -3
    assert Place("m.input").module == "m"
