import torch

from genviz.generators.pixels import Pixels


def test_the_pixels_are_the_parameters():
    torch.manual_seed(0)
    generator = Pixels(size=(4, 6), noise=0.5)
    sample = generator()
    assert sample.images.shape == (1, 3, *generator.image_size) == (1, 3, 4, 6)
    torch.testing.assert_close(sample.images, 1 / (1 + (-generator.values).exp()))
    assert [parameter.numel() for parameter in generator.parameters()] == [72]


def test_it_begins_grey():
    assert (Pixels(size=(8, 8), noise=0)().images == 0.5).all()
