import torch

from genviz.classifiers.weight_files.contents import Contents, fitted

SHAPES = {"conv1.weight": (4, 3, 2, 2), "conv1.bias": (4,), "fc8.weight": (5, 4, 3, 3), "fc8.bias": (5,)}


def _state(**names):
    values = {name: torch.rand(shape) for name, shape in SHAPES.items()}
    return {
        f"{names.get(n.partition('.')[0], n.partition('.')[0])}.{n.partition('.')[2]}": v for n, v in values.items()
    }


def test_names_that_are_known_stay():
    state = _state()
    assert fitted(Contents(state), SHAPES) == state


def test_a_layer_of_ones_own_stands_for_the_missing_one():
    state = _state(fc8="fc8_flowers")
    found = fitted(Contents(state), SHAPES)
    assert found.keys() == SHAPES.keys()
    assert found["fc8.bias"] is state["fc8_flowers.bias"]


def test_layers_without_names_go_by_their_order():
    found = fitted(Contents(_state(conv1="layer1", fc8="layer7")), SHAPES)
    assert {name: tuple(value.shape) for name, value in found.items()} == SHAPES


def test_a_layer_of_another_shape_stands_for_none():
    state = _state(fc8="other") | {"other.weight": torch.rand(5, 4, 2, 2)}
    assert fitted(Contents(state), SHAPES).keys() == state.keys()


def test_a_matrix_becomes_the_kernel_over_its_input():
    """Caffe flattens by channel, row and column."""
    state = _state()
    matrix = state["fc8.weight"].flatten(1)
    found = fitted(Contents(state | {"fc8.weight": matrix}), SHAPES)["fc8.weight"]
    maps = torch.rand(2, 4, 3, 3)
    torch.testing.assert_close(torch.conv2d(maps, found).flatten(1), maps.flatten(1) @ matrix.T)
