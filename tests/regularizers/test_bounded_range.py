import torch

from genviz.images.pictures import MEAN_COLOUR
from genviz.interfaces import Sample
from genviz.regularizers.bounded_range import BoundedRange


def image_of(x):
    """Of the paper's x (n, 3, h, w)."""
    return Sample((x + torch.tensor(MEAN_COLOUR, dtype=x.dtype).view(3, 1, 1)) / 255, {})


def test_it_is_the_papers_sum():
    """Mahendran & Vedaldi 2016, Eq. 5."""
    torch.manual_seed(0)
    x = 60 * torch.randn(2, 3, 4, 5, dtype=torch.float64)
    got = BoundedRange()(image_of(x))
    for image, penalty in zip(x, got, strict=True):
        total = 0.0
        for v in range(4):
            for u in range(5):
                total += sum(float(image[k, v, u]) ** 2 for k in range(3)) ** (6 / 2)
        torch.testing.assert_close(penalty.item(), total / (4 * 5 * 80.0**6))


def test_a_pixel_of_the_typical_length_costs_1():
    x = torch.zeros(1, 3, 2, 2)
    x[:, 1] = 80
    torch.testing.assert_close(BoundedRange()(image_of(x)), torch.ones(1))


def test_the_gradient_is_right():
    x = 50 * torch.randn(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: BoundedRange()(image_of(x)), x)
