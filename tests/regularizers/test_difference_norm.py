import math

import pytest
import torch

from genviz.interfaces import Sample
from genviz.regularizers.difference_norm import DifferenceNorm


def test_it_is_the_code_of_deepinversion_pixel_by_pixel():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    found = DifferenceNorm(weight=0.003)(Sample(images, {}))
    for n in range(2):
        total = 0.0
        for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
            square = 0.0
            for channel, std in enumerate((0.229, 0.224, 0.225)):
                for y in range(4 - down):
                    for x in range(max(0, -across), 5 - max(0, across)):
                        other = images[n, channel, y + down, x + across]
                        square += ((images[n, channel, y, x] - other).item() / std) ** 2
            total += math.sqrt(square)
        assert found[n].item() == pytest.approx(total, rel=1e-6)


def test_a_flat_picture_costs_nothing_and_a_rough_one_much():
    flat, rough = torch.full((1, 3, 8, 8), 0.3), torch.rand(1, 3, 8, 8)
    penalty = DifferenceNorm(weight=1.0)
    assert penalty(Sample(flat, {})).item() == 0
    assert penalty(Sample(rough, {})).item() > 10
    assert penalty(Sample(2 * rough, {})).item() == pytest.approx(2 * penalty(Sample(rough, {})).item())


def test_the_gradient_of_a_flat_picture_is_a_number():
    flat = torch.full((1, 3, 4, 4), 0.3, requires_grad=True)
    DifferenceNorm(weight=1.0)(Sample(flat, {})).sum().backward()
    assert flat.grad.isfinite().all()
