import math

import pytest
import torch
from streams import of

from genviz.errors import UserError
from genviz.transforms.noise import RandomNoise


def test_noise_is_a_gaussian_and_half_as_much_evenly():
    torch.manual_seed(0)
    images = torch.rand(4, 3, 100, 100, dtype=torch.float64)
    added = of(RandomNoise(deviation=0.2), 0, 1)(images) - images
    assert added.std().item() == pytest.approx(0.2 * math.sqrt(1 + 1 / 12), rel=0.01)
    assert added.mean().abs().item() < 0.003
    assert len({image.sum().item() for image in added}) == 4
    assert torch.equal(RandomNoise(deviation=0)(images), images)
    with pytest.raises(UserError, match="0 or more"):
        RandomNoise(deviation=-0.1)
