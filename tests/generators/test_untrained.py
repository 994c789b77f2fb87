import pytest
import torch

from genviz.errors import UserError
from genviz.generators.untrained import Untrained
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD

SMALL = {"code_shape": (8, 3, 3), "widths": (6, 5), "kernels": (2, 3)}


def trainable(generator):
    return sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("output", ["standardized", "sigmoid", "decorrelated"])
def test_it_has_the_papers_variables(output):
    assert trainable(Untrained(output=output, statistics="image")) == 5_240_841  # Despraz et al. 2017, Table 1


def test_equation_1_by_hand(monkeypatch):
    generator = Untrained(**SMALL, sigma=2.0)
    codes = []
    generator.layers.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten()))
    monkeypatch.setattr(generator.streams, "normal", lambda *shape: torch.full((1, *shape), 0.5))
    generator()
    torch.testing.assert_close(codes[-1], generator.gains.flatten() * (1 + 2 * 0.5))
    generator.eval()()
    torch.testing.assert_close(codes[-1], generator.gains.flatten())  # f0 = 1, no noise


def test_the_noise_has_its_sigma():
    torch.manual_seed(0)
    generator = Untrained(code_shape=(800, 5, 5), widths=(4,), kernels=(2,), sigma=2.0)
    with torch.no_grad():
        generator.gains.fill_(1)
    codes = []
    generator.layers.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten()))
    generator()
    assert (codes[0].mean() - 1).abs() < 0.05
    assert abs(codes[0].std() - 2) < 0.05


def test_standardized_values_are_deviations_of_natural_images():
    generator = Untrained(**SMALL)
    with torch.no_grad():
        generator.layers.gamma.zero_()
        generator.layers[-1].bias.copy_(torch.tensor([1.0, 2.0, -3.0]))
    image = generator().images[0]
    for channel, (value, mean, std) in enumerate(zip([1, 2, -3], IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        torch.testing.assert_close(image[channel], torch.full_like(image[channel], mean + value * std))


@pytest.mark.parametrize("output", ["sigmoid", "decorrelated"])
def test_a_sigmoid_stays_in_range(output):
    images = Untrained(**SMALL, output=output, contrast=100.0)().images
    assert images.min() >= 0
    assert images.max() <= 1


def test_the_settled_picture_uses_moving_averages_or_the_image_itself():
    for statistics, moves in (("moving", True), ("image", False)):
        torch.manual_seed(0)
        generator = Untrained(**SMALL, statistics=statistics, momentum=0.5)
        before = generator.eval()().images
        generator.train()()
        changed = not torch.equal(before, generator.eval()().images)
        assert changed is moves


def test_gamma_and_the_gains_are_what_a_regularizer_may_penalize():
    generator = Untrained(**SMALL, contrast=2.0)
    parameters = generator().parameters
    assert parameters["gamma"].tolist() == [[2.0, 2.0, 2.0]]
    assert parameters["gains"].shape == (1, 72)
    parameters["gamma"].sum().backward()
    assert generator.layers[-1].weight.grad is not None


def test_the_same_family_at_other_sizes():
    small = Untrained(widths=(256, 128, 128, 64), kernels=(2, 3, 3, 3))
    assert small().images.shape[-2:] == small.image_size == (114, 114)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"widths": (4,)}, "one width and one kernel"),
        ({"output": "tanh"}, "standardized or sigmoid or decorrelated"),
        ({"statistics": "none"}, "moving or image"),
        ({"sigma": -1}, "0 or more"),
    ],
)
def test_what_is_no_generator_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        Untrained(**{**SMALL, **settings})
