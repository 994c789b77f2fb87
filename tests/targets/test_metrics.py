import pytest
import torch

from genviz.interfaces import SCORES, Layer
from genviz.targets.grammar import parse_target
from genviz.targets.metrics import Metrics
from genviz.targets.units import Targets

LAYERS = (Layer("conv", "conv", (4, 3, 3)), Layer(SCORES, SCORES, (5,)))
TEXTS = ["class:b", "filter:conv:2", "class:a@2+c+neuron:conv:1:0:2", "class:e@-1"]


def parsed(text):
    return parse_target(text, list("abcde"), LAYERS)


@pytest.mark.parametrize("views", [1, 3])
def test_the_row_of_many_targets_is_each_ones_own(views):
    torch.manual_seed(0)
    count = len(TEXTS)
    seen = {"conv": torch.randn(count * views, 4, 3, 3), SCORES: torch.randn(count * views, 5)}
    values = {"loss": torch.randn(count), "score": torch.randn(count), "score/own": torch.randn(count * views)}
    many = Metrics(Targets([parsed(text) for text in TEXTS]))
    found = many.named(many.row(values, seen).tolist())
    for number, text in enumerate(TEXTS):
        alone = Metrics(Targets(parsed(text)))
        own = {layer: value[number * views : (number + 1) * views] for layer, value in seen.items()}
        mine = {name: value.chunk(count)[number] for name, value in values.items()}
        (expected,) = alone.named(alone.row(mine, own).tolist())
        assert found[number] == pytest.approx(expected)
        assert list(found[number]) == list(expected)
    assert list(found[2])[-3:] == [f"activation/{name}" for name in ("class:a", "class:c", "neuron:conv:1:0:2")]


def test_the_rank_is_the_worst_of_those_that_decide():
    scores = torch.tensor([[5.0, 1.0, 4.0, 0.0, 3.0], [5.0, 9.0, 4.0, 0.0, 3.0]])
    metrics = Metrics(Targets(parsed("class:a+c+d@-1")))
    (told,) = metrics.named(metrics.row({"loss": torch.tensor([1.0, 2.0])}, {SCORES: scores}).tolist())
    assert told["rank"] == 3  # of c, in the second view
    assert told["loss"] == 3
    assert told["activation"] == pytest.approx((9 + 9) / 2)
