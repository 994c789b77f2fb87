import pytest
import torch

from genviz.attribution.faithfulness import faithfulness
from genviz.images.pictures import MEAN_COLOUR


def value(images):
    """1 while all of a white square is there, by its brightness above grey."""
    grey = torch.tensor(MEAN_COLOUR).mean() / 255
    return ((images[:, :, :8, :8].mean((1, 2, 3)) - grey) / (1 - grey)).clamp(0, 1)


def picture():
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, :8, :8] = 1
    return image


def test_the_square_first_is_best():
    image, first, last = picture(), torch.zeros(16, 16), torch.zeros(16, 16)
    first[:8, :8], last[:8, :8] = 1, -1
    best, worst, random = (faithfulness(value, image, one, steps=16) for one in (first, last, torch.zeros(16, 16)))
    assert best.deletion < random.deletion < worst.deletion
    assert best.insertion > random.insertion > worst.insertion
    assert best.deletion == pytest.approx(0.125, abs=0.01)  # gone after a quarter of the pixels, linearly
    assert worst.deletion == pytest.approx(0.875, abs=0.01)


def test_it_does_not_depend_on_the_batch_and_ties_have_no_direction():
    image, importance = picture(), torch.rand(16, 16)
    assert faithfulness(value, image, importance, at_once=3) == pytest.approx(
        faithfulness(value, image, importance, at_once=64)
    )
    mirrored = faithfulness(lambda some: value(some.flip(2, 3)), image.flip(2, 3), torch.zeros(16, 16), steps=16)
    assert mirrored.deletion == pytest.approx(
        faithfulness(value, image, torch.zeros(16, 16), steps=16).deletion, abs=0.1
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 5), (3, 16)])
def test_pictures_smaller_than_the_blur(size):
    image = torch.rand(1, 3, *size)
    found = faithfulness(lambda some: some.mean((1, 2, 3)), image, torch.rand(size), steps=2)
    assert 0 <= found.insertion <= 1
