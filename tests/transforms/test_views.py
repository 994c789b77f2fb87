import math

import pytest
import torch
from streams import of

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.transforms.boxes import RandomBoxes
from genviz.transforms.views import RandomViews


class Largest(Streams):
    """Draws the largest of what there is."""

    def uniform(self, low, high, *shape):
        return torch.full((len(self), *shape), float(high))


def largest(transform):
    transform.streams = Largest()
    return transform


def test_without_any_motion_the_image_is_itself():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(of(RandomViews(), 0, 1)(images), images, atol=1e-5, rtol=0)


def test_the_views_of_an_image_are_side_by_side():
    images = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    views = of(RandomViews(views=2, rotate=20, scale=(0.5, 2), shift=0.3), 0, 1, 2)
    assert views(images)[:, 0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2]


def test_a_quarter_turn_is_a_quarter_turn():
    images = torch.rand(1, 3, 9, 9)
    turned = largest(RandomViews(rotate=90))(images)
    torch.testing.assert_close(turned, torch.rot90(images, 1, (2, 3)), atol=1e-5, rtol=0)


def test_scale_two_shows_the_middle_half():
    images = torch.zeros(1, 3, 16, 16)
    images[..., 4:12, 4:12] = 1
    assert largest(RandomViews(scale=(1, 2)))(images).min() > 0.4  # all of the frame but for the interpolated rim


def test_a_shift_is_a_share_of_the_side():
    images = torch.rand(1, 3, 8, 8)
    shifted = largest(RandomViews(shift=0.25))(images)
    torch.testing.assert_close(shifted[..., :6, :6], images[..., 2:, 2:], atol=1e-5, rtol=0)


def test_the_gradient_is_right():
    images = torch.rand(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    views = RandomViews(views=2, rotate=10, scale=(0.9, 1.1), shift=0.1)
    assert torch.autograd.gradcheck(lambda x: of(views, 1, 2)(x), images)


def test_the_angles_stay_in_their_range():
    """Seen in the picture: a bright pixel on the right is turned by no more than so much, and by nearly so much."""
    images = torch.zeros(1, 3, 101, 101)
    images[..., 50, 90] = 1
    turn, angles = of(RandomViews(rotate=10), 0), []
    for _ in range(200):
        place = int(turn(images)[0, 0].flatten().argmax())
        angles.append(math.degrees(math.atan2(place // 101 - 50, place % 101 - 50)))
    assert 8 < max(map(abs, angles)) < 10 + 1.5  # a pixel is 1.4 degrees
    assert min(angles) < -5 < 5 < max(angles)


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
        {"scale": (1e-40, 1)},  # of which torch makes coordinates that are no numbers, and dies of them
        {"scale": (1, float("inf"))},
        {"rotate": 1e300},
        {"shift": float("inf")},
    ],
)
def test_what_is_no_view_is_refused(settings):
    with pytest.raises(UserError, match="views must be a whole number|the largest either way: 0 to 360 degrees"):
        RandomViews(**settings)


def test_a_picture_that_is_not_square_is_turned_and_not_sheared():
    """A line across the middle, turned by 45 degrees, goes as far down as it goes across."""
    images = torch.zeros(1, 3, 60, 120)
    images[:, :, 29:31] = 1
    turned = largest(RandomViews(rotate=45))(images)[0, 0]
    rows = turned.argmax(0)[45:75].double()  # where the line is in the columns around the middle
    assert (rows - rows.roll(1))[1:].mean().abs().item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "first", [RandomViews(views=2, rotate=20), RandomBoxes(boxes=2, size=None, shares=(0.5, 0.5), updates=1)]
)
def test_views_of_views_are_those_that_each_image_has_alone(first):
    images, second = torch.rand(2, 3, 8, 8), RandomViews(views=3, shift=0.2)

    def seen(some, *seeds):
        return of(second, *seeds)(of(first, *seeds)(some))

    both = seen(images, 0, 1)
    assert both.shape == (2 * 2 * 3, 3, 8, 8)
    torch.testing.assert_close(both, torch.cat([seen(images[:1], 0), seen(images[1:], 1)]))
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("scale", [1.5, "ab", [1.0]])
def test_a_scale_that_is_no_pair_is_one_line(scale):
    with pytest.raises(UserError, match="scale two sizes from 0.001 to 1000"):
        RandomViews(scale=scale)
