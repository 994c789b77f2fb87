import pytest
import torch

from genviz.errors import UserError
from genviz.images.pictures import MEAN_COLOUR
from genviz.interfaces import Sample
from genviz.regularizers.image_norm import ImageNorm


@pytest.mark.parametrize("order", [2, 6])
def test_it_is_the_mean_to_the_power(order):
    images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    for image, penalty in zip(images, ImageNorm(weight=1.0, order=order)(Sample(images, {})), strict=True):
        total = 0.0
        for channel, mean in zip(image, MEAN_COLOUR, strict=True):
            total += sum(abs((255 * value - mean) / 128) ** order for value in channel.flatten().tolist())
        assert penalty.item() == pytest.approx((total / 60) ** (1 / order))


def test_it_does_not_depend_on_the_size():
    image = torch.rand(1, 3, 4, 4)
    penalty = ImageNorm(weight=1.0, order=6)
    torch.testing.assert_close(
        penalty(Sample(image, {})), penalty(Sample(image.repeat_interleave(3, 2).repeat_interleave(2, 3), {}))
    )


def test_a_norm_has_an_order():
    with pytest.raises(UserError, match="1 or more"):
        ImageNorm(weight=1.0, order=0.5)
