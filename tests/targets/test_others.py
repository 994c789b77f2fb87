import pytest
import torch

from genviz.interfaces import SCORES, Layer
from genviz.targets.grammar import parse_target
from genviz.targets.others import Others
from genviz.targets.units import Targets

LAYERS = (Layer("conv", "conv", (4, 3, 3)), Layer("fc", "fc", (5,)), Layer(SCORES, SCORES, (6,)))


def parsed(text):
    return parse_target(text, list("abcdef"), LAYERS)


def slow(text, layer, kind, activation):
    """One image's, unit by unit."""
    target = parsed(text)
    if target.silences or not any((u.layer, u.kind) == (layer, kind) for u in target.units):
        return 0.0
    named = [unit.index for unit in target.units if unit.layer == layer]
    maps = activation.reshape(len(activation), -1)
    if kind == "neuron":
        places = torch.cartesian_prod(*(torch.arange(size) for size in activation.shape)).view(-1, activation.ndim)
        units = {tuple(place.tolist()): activation[tuple(place)] for place in places}
    else:
        units = {(channel,): maps[channel].mean() for channel in range(len(maps))}
    within = {i: v for i, v in units.items() if not any(n[: len(i)] == i or i[: len(n)] == n for n in named)}
    return sum(max(value.item(), 0.0) for value in within.values())


TEXTS = {
    "conv": ["filter:conv:1", "filter:conv:0+3", "neuron:conv:1:2:0", "filter:conv:0+neuron:conv:1:0:0", "layer:conv",
             "layer:conv+filter:conv:1", "filter:conv:2@-1", "filter:conv:1+neuron:conv:2:1:1+2:2:2"],
    "fc": ["filter:fc:3", "neuron:fc:4", "filter:fc:3+neuron:fc:4", "neuron:fc:1+2"],
}  # fmt: skip


@pytest.mark.parametrize("layer", TEXTS)
@pytest.mark.parametrize("views", [1, 2])
def test_each_image_is_as_if_alone(layer, views):
    torch.manual_seed(0)
    texts = TEXTS[layer]
    shape = next(each.shape for each in LAYERS if each.name == layer)
    activation = torch.randn(len(texts) * views, *shape, dtype=torch.float64)
    targets = Targets([parsed(text) for text in texts])
    for units in targets:
        found = Others(units, targets.each)
        if not found.exist:
            assert units.kind == "layer"
            continue
        expected = [slow(texts[n // views], layer, units.kind, image) for n, image in enumerate(activation)]
        torch.testing.assert_close(found(activation), torch.tensor(expected, dtype=torch.float64))


def test_a_layer_and_what_should_be_silent_have_none():
    for text in ("layer:conv", "filter:conv:1@-1"):
        targets = Targets(parsed(text))
        assert not any(Others(units, targets.each).exist for units in targets)
