import torch

from genviz.interfaces import Sample
from genviz.regularizers.total_variation import TotalVariation


def variation(images):
    return TotalVariation(weight=1.0)(Sample(images, {}))


def test_a_flat_image_has_none():
    assert variation(torch.full((2, 3, 5, 5), 0.7)).tolist() == [0, 0]


def test_a_ramp_by_hand():
    ramp = torch.arange(5.0).repeat(5, 1)  # 5 rows of 4 differences of 1
    torch.testing.assert_close(variation(ramp.expand(1, 3, 5, 5)), torch.tensor([3 * 20 / 25]))


def test_it_is_the_slow_sum():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 4, 6, dtype=torch.float64)
    for image, got in zip(images, variation(images), strict=True):
        slow = sum(
            abs(image[c, i, j] - image[c, i + a, j + b])
            for c in range(3) for i in range(4) for j in range(6) for a, b in ((1, 0), (0, 1))
            if i + a < 4 and j + b < 6
        )  # fmt: skip
        torch.testing.assert_close(got, slow / 24)


def test_each_image_is_as_if_alone():
    images = torch.rand(3, 3, 6, 6)
    torch.testing.assert_close(variation(images), torch.cat([variation(image[None]) for image in images]))


def test_the_gradient_is_right():
    images = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(variation, images)
