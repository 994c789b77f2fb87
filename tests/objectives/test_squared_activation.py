import torch

from genviz.objectives.squared_activation import SquaredActivation
from genviz.targets.grammar import Target, Unit


def test_it_is_the_mean_square_of_what_the_units_compute():
    target = Target((Unit("layer", "a", (), 1.0, "a"), Unit("filter", "b", (1,), 2.0, "1")))
    seen = {"a": torch.randn(2, 3, 2, 2, dtype=torch.float64), "b": torch.randn(2, 2, 3, 3, dtype=torch.float64)}
    for number, score in enumerate(SquaredActivation(target)(seen)):
        layer = sum(value**2 for value in seen["a"][number].flatten().tolist()) / 12
        channel = sum(value**2 for value in seen["b"][number, 1].flatten().tolist()) / 9
        torch.testing.assert_close(score.item(), layer + 2 * channel)


def test_its_gradient_at_the_layer_is_the_activation():
    """As DeepDream's code sets it (Kocur 2021)."""
    activation = torch.randn(1, 3, 4, 4, requires_grad=True)
    SquaredActivation(Target((Unit("layer", "a", (), 1.0, "a"),)))({"a": activation}).sum().backward()
    torch.testing.assert_close(activation.grad, activation.detach() * 2 / activation.numel())
