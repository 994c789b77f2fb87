import math

import pytest
import torch

from genviz.errors import UserError
from genviz.generators.fourier import Fourier
from genviz.images.pictures import COLOUR_CORRELATION
from genviz.images.randomness import Streams


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_it_is_the_slow_sum_over_frequencies(size):
    """Olah et al. 2017 (lucid): every coefficient's wave, one by one."""
    torch.manual_seed(0)
    generator = Fourier(size=size, deviation=1.0)
    coefficients = torch.view_as_complex(generator.coefficients.detach()[0].double())
    rows, columns = size
    values = torch.zeros(3, rows, columns, dtype=torch.float64)
    for u in range(rows):
        for v in range(columns // 2 + 1):
            fu, fv = (u if u <= (rows - 1) // 2 else u - rows) / rows, v / columns
            amplitude = 1 / max(math.hypot(fu, fv), 1 / max(size))
            alone = v == 0 or 2 * v == columns  # its own mirror image; the others stand for two
            for y in range(rows):
                for x in range(columns):
                    wave = complex(math.cos(angle := 2 * math.pi * (fu * y + fv * x)), math.sin(angle))
                    values[:, y, x] += (1 if alone else 2) * amplitude * (coefficients[:, u, v] * wave).real
    values = values / math.sqrt(rows * columns) / 4
    colours = torch.tensor(COLOUR_CORRELATION, dtype=torch.float64)
    colours = colours / colours.norm(dim=0).max()
    wanted = (colours @ values.flatten(1)).view(3, rows, columns).sigmoid()
    torch.testing.assert_close(generator().images[0].double(), wanted, atol=1e-5, rtol=1e-5)


def test_low_frequencies_are_the_stronger_ones():
    torch.manual_seed(0)
    image = Fourier(size=(64, 64), deviation=1.0)().images
    power = torch.fft.rfft2(image - image.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    assert power[1:4, 1:4].mean() > 30 * power[24:30, 24:30].mean()


def test_the_images_are_in_range_and_of_the_size():
    generator = Fourier(size=(24, 40), deviation=3.0)
    assert generator.image_size == (24, 40)
    images = generator().images
    assert images.shape == (1, 3, 24, 40)
    assert 0 <= images.min() <= images.max() <= 1


def test_a_size_is_two_sides():
    with pytest.raises(UserError, match="must be rows and columns"):
        Fourier(size=(1, 8))


@pytest.mark.parametrize("size", [8, None, "auto", (8, 8.5)])
def test_nothing_else_is_a_size(size):
    with pytest.raises(UserError, match="must be rows and columns"):
        Fourier(size=size)


def test_of_several_images_each_is_as_if_alone():
    together = Fourier(size=(6, 9), deviation=1.0, streams=Streams(range(3, 7)))
    images = together().images
    assert images.shape == (4, 3, 6, 9)
    assert together().parameters["coefficients"].shape == (4, 3 * 6 * 5 * 2)
    for number in range(4):
        torch.manual_seed(3 + number)
        alone = Fourier(size=(6, 9), deviation=1.0)
        assert torch.equal(together.coefficients[number], alone.coefficients[0])
        torch.testing.assert_close(images[number], alone().images[0])
