import pytest
import torch

from genviz.interfaces import SCORES, Layer, Outline
from genviz.objectives.activation import Activation
from genviz.targets.grammar import parse_target

LAYERS = (
    Layer("conv", "conv", (4, 3, 3)),
    Layer("relu", "relu", (4, 3, 3)),
    Layer(SCORES, SCORES, (5,)),
)
LABELS = ("a", "b", "c", "d", "e")
OUTLINE = Outline(LABELS, LAYERS, {"relu": "relu.input", SCORES: "head.input"}, (9, 9))


def target(text):
    return parse_target(text, LABELS, LAYERS)


@pytest.fixture
def seen():
    torch.manual_seed(0)
    conv = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    head = torch.randn(2, 5, 3, 3, dtype=torch.float64)
    return {"conv": conv, "relu": conv.relu(), "relu.input": conv, "head.input": head, SCORES: head.relu().mean((2, 3))}


def slow(text, seen, lambda_others, n):
    """Eq. 2 without R, unit by unit."""
    wanted = target(text)
    total = 0.0
    layers = {(unit.layer, unit.kind) for unit in wanted.units}
    for layer, kind in layers:
        weights = {unit.index: unit.weight for unit in wanted.units if (unit.layer, unit.kind) == (layer, kind)}
        activation = seen[layer][n]
        if kind in ("class", "filter"):
            units = {(c,): activation[c].mean() for c in range(activation.shape[0])}
        elif kind == "neuron":
            c, h, w = activation.shape
            units = {(k, i, j): activation[k, i, j] for k in range(c) for i in range(h) for j in range(w)}
        else:
            units = {(): activation.mean()}
        own_lambda = 10 / len(units) if lambda_others is None else lambda_others
        targets = [unit.index for unit in wanted.units if unit.layer == layer]
        for index, value in units.items():
            if index in weights:
                total = total + weights[index] * (value.relu() if kind == "class" else value)
            elif not any(t[: len(index)] == index or index[: len(t)] == t for t in targets):  # in no target, holds none
                total = total - own_lambda * value.relu()
    return total


@pytest.mark.parametrize("lambda_others", [None, 0.0, 0.01, 3.0])
@pytest.mark.parametrize(
    "text",
    ["class:b", "class:a@0.7+d@0.3", "filter:conv:2", "filter:relu:0+3", "neuron:conv:1:2:0", "layer:conv",
     "class:a+filter:conv:1@-2+neuron:relu:1:1:1", "class:a+b@-1", "filter:conv:0+neuron:conv:1:0:0",
     "layer:conv+filter:conv:1"],
)  # fmt: skip
def test_it_is_equation_2(seen, text, lambda_others):
    objective = Activation(target(text), OUTLINE, lambda_others=lambda_others)
    got = objective({layer: seen[layer] for layer in objective.layers})
    expected = torch.stack([torch.as_tensor(slow(text, seen, lambda_others, n)) for n in range(2)])
    torch.testing.assert_close(got, expected)


def test_the_papers_lambda_is_ten_over_a_thousand():
    layers = (Layer(SCORES, SCORES, (1000,)),)
    wanted = parse_target("class:3", [f"label {i}" for i in range(1000)], layers)
    scores = torch.full((1, 1000), 2.0)
    torch.testing.assert_close(Activation(wanted)({SCORES: scores}), torch.tensor([2.0 - 0.01 * 999 * 2.0]))


def test_a_class_has_a_relu_in_place_of_the_softmax():
    scores = torch.tensor([[-3.0, -1.0, 2.0, 0.0, 0.0]])
    assert Activation(target("class:a"), lambda_others=0.5)({SCORES: scores}).item() == -0.5 * 2.0


def dead():
    conv = torch.full((1, 4, 3, 3), -1.0, dtype=torch.float64, requires_grad=True)
    head = torch.full((1, 5, 3, 3), -1.0, dtype=torch.float64, requires_grad=True)
    return conv, head, {"relu": conv.relu(), "relu.input": conv, "head.input": head, SCORES: head.relu().mean((2, 3))}


@pytest.mark.parametrize("text", ["class:b", "filter:relu:2", "neuron:relu:2:1:1"])
def test_equation_2_alone_gives_a_dead_target_no_gradient_and_the_warm_up_does(text):
    conv, head, seen = dead()
    Activation(target(text), OUTLINE, lambda_others=0.0)(seen).sum().backward()
    assert not any(tensor.grad is not None and tensor.grad.any() for tensor in (conv, head))
    for update in (0, 100):  # in the warm-up, and for as long as the target is dead
        conv, head, seen = dead()
        objective = Activation(target(text), OUTLINE, warm_up=10)
        objective.update = update
        objective(seen).sum().backward()
        assert (head if "class" in text else conv).grad.sum() > 0


def test_what_should_not_fire_is_not_pushed_below_silence():
    scores = torch.tensor([[2.0, -100.0, 0.0, 0.0, 0.0]], requires_grad=True)
    for update in (0, 50):
        objective = Activation(target("class:a+b@-1"), lambda_others=0.0, warm_up=10)
        objective.update = update
        score = objective({SCORES: scores})
        assert score.item() == 2.0
        (gradient,) = torch.autograd.grad(score.sum(), scores)
        assert gradient[0, 1] == 0


def test_a_linear_score_is_woken_below_zero():
    scores = torch.full((1, 5), -2.0, requires_grad=True)
    objective = Activation(target("class:b"), warm_up=10)
    objective.update = 50
    objective({SCORES: scores}).sum().backward()
    assert scores.grad[0, 1] == 1


def test_where_the_target_fires_the_warm_up_has_changed_nothing(seen):
    plain = Activation(target("class:b"), OUTLINE)
    woken = Activation(target("class:b"), OUTLINE, warm_up=10)
    woken.update = 10
    torch.testing.assert_close(woken(seen), plain(seen))


def test_the_warm_up_leaves_the_others_alone(seen):
    objective = Activation(target("class:b"), OUTLINE, lambda_others=5.0, warm_up=10)
    torch.testing.assert_close(objective(seen), seen["head.input"].mean((2, 3))[:, 1])


@pytest.mark.parametrize("text", ["class:b@2", "filter:conv:1+2", "neuron:relu:0:1:1"])
def test_the_gradient_is_right(seen, text):
    objective = Activation(target(text), OUTLINE, lambda_others=0.1)
    inputs = {layer: seen[layer].clone().add(0.3).requires_grad_() for layer in objective.layers}
    names = list(inputs)
    assert torch.autograd.gradcheck(
        lambda *tensors: objective(dict(zip(names, tensors, strict=True))), tuple(inputs.values())
    )


def test_each_image_is_as_if_alone(seen):
    objective = Activation(target("filter:conv:1+class:a"), OUTLINE)
    alone = [objective({k: v[n : n + 1] for k, v in seen.items()}) for n in range(2)]
    torch.testing.assert_close(objective(seen), torch.cat(alone))


@pytest.mark.parametrize("text", ["class:b@-1", "filter:relu:2@-1", "neuron:relu:2:1:1@-2+2:0:0@-1", "layer:relu@-1"])
def test_what_should_be_silent_is_pushed_down_alone_and_also_below_a_relu(text):
    for update in (0, 100):
        conv, head, seen = dead()
        objective = Activation(target(text), OUTLINE, lambda_others=3.0, warm_up=10)
        objective.update = update
        objective(seen).sum().backward()
        grad = (head if "class" in text else conv).grad
        assert grad.sum() < 0
        assert not (grad > 0).any()
