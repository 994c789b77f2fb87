import math

import pytest
import torch

from genviz.errors import UserError
from genviz.interfaces import Sample
from genviz.regularizers.blur import Blur


def test_it_is_the_mean_square_of_what_the_blur_takes():
    torch.manual_seed(0)
    images = torch.full((1, 3, 20, 20), 0.3, dtype=torch.float64)
    images[..., 6:14, 6:14] = torch.rand(1, 3, 8, 8, dtype=torch.float64)  # the blur carries it 3 pixels on
    kernel = [math.exp(-(offset**2) / 2) for offset in range(-3, 4)]
    kernel = [value / sum(kernel) for value in kernel]
    middle = torch.zeros(3, 14, 14, dtype=torch.float64)
    for a, across in enumerate(kernel):
        for b, down in enumerate(kernel):
            middle += across * down * images[0, :, b : b + 14, a : a + 14]
    inner = Blur(weight=1.0)
    rest = ((images[0, :, 3:17, 3:17] - middle) ** 2).sum().item()
    assert inner(Sample(images, {})).item() == pytest.approx(rest / (3 * 20 * 20), rel=1e-5)
    flat = torch.full((1, 3, 20, 20), 0.3, dtype=torch.float64)
    assert inner(Sample(flat, {})).item() < 1e-12


def test_the_margins_have_theirs_too():
    images = torch.full((1, 3, 20, 20), 0.3)
    images[..., :2] = torch.tensor([0.0, 1.0]).repeat(1, 3, 20, 1)  # a line at the edge
    assert Blur(weight=1.0)(Sample(images, {})).item() > 0.01


def test_a_finer_pattern_costs_more():
    checks = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    fine = checks.repeat(8, 8).expand(1, 3, 16, 16)
    coarse = checks.repeat_interleave(8, 0).repeat_interleave(8, 1).expand(1, 3, 16, 16)
    assert Blur(weight=1.0)(Sample(fine, {})) > 2 * Blur(weight=1.0)(Sample(coarse, {}))


def test_a_blur_has_a_width():
    with pytest.raises(UserError, match="above 0"):
        Blur(weight=1.0, sigma=0)
