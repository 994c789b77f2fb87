import math

import pytest
import torch

from genviz.transforms import RandomCrop, RandomRoll, RandomViews


def test_without_any_motion_the_image_is_itself():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(RandomViews()(images), images, atol=1e-5, rtol=0)


def test_the_views_of_an_image_are_side_by_side():
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    assert RandomViews(views=2, rotate=20, scale=(0.5, 2), shift=0.3)(images)[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_quarter_turn_is_a_quarter_turn(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(high))
    images = torch.rand(1, 3, 9, 9)
    turned = RandomViews(rotate=90)(images)
    torch.testing.assert_close(turned, torch.rot90(images, 1, (2, 3)), atol=1e-5, rtol=0)


def test_scale_two_shows_the_middle_half(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(high))
    images = torch.zeros(1, 3, 16, 16)
    images[..., 4:12, 4:12] = 1
    assert RandomViews(scale=(1, 2))(images).min() > 0.4  # all of the frame but for the interpolated rim


def test_a_shift_is_a_share_of_the_side(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(high))
    images = torch.rand(1, 3, 8, 8)
    shifted = RandomViews(shift=0.25)(images)
    torch.testing.assert_close(shifted[..., :6, :6], images[..., 2:, 2:], atol=1e-5, rtol=0)


def test_the_gradient_is_right():
    torch.manual_seed(0)
    images = torch.rand(1, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    views = RandomViews(views=2, rotate=10, scale=(0.9, 1.1), shift=0.1)

    def seeded(x):
        torch.manual_seed(1)
        return views(x)

    assert torch.autograd.gradcheck(seeded, images)


def test_the_angles_stay_in_their_range():
    torch.manual_seed(0)
    drawn = torch.empty(1000).uniform_(-RandomViews(rotate=10).rotate, RandomViews(rotate=10).rotate)
    assert drawn.abs().max() <= math.radians(10)


@pytest.mark.parametrize(
    "settings",
    [
        {"views": 0},
        {"views": 1.5},
        {"scale": (0, 1)},
        {"scale": (2, 1)},
        {"scale": (1,)},
        {"rotate": -1},
        {"shift": -1},
    ],
)
def test_what_is_no_view_is_refused(settings):
    with pytest.raises(ValueError, match="views is a whole number|not below 0"):
        RandomViews(**settings)


def test_a_crop_is_a_part_of_its_own_image():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 9, 10)
    places = set()
    for image, crop in zip(images, RandomCrop(margin=3)(images), strict=True):
        assert crop.shape == (3, 6, 7)
        found = [(y, x) for y in range(4) for x in range(4) if torch.equal(image[:, y : y + 6, x : x + 7], crop)]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 3


def test_a_roll_loses_nothing():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 6, 6)
    rolled = RandomRoll(pixels=2)(images)
    shifts = set()
    for image, other in zip(images, rolled, strict=True):
        near = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if torch.equal(image.roll((y, x), (1, 2)), other)]
        assert len(near) == 1
        shifts.update(near)
    assert len(shifts) > 3


def test_margins_and_shifts_are_whole_numbers():
    for made in (lambda: RandomCrop(margin=-1), lambda: RandomRoll(pixels=0.5)):
        with pytest.raises(ValueError, match="whole number"):
            made()
