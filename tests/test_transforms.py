import math

import pytest
import torch

from genviz.errors import UserError
from genviz.randomness import Streams
from genviz.transforms import (
    Pad,
    RandomBoxes,
    RandomColours,
    RandomCrop,
    RandomFlip,
    RandomNoise,
    RandomRoll,
    RandomViews,
)


def of(transform, *seeds):
    """The transform of so many images."""
    transform.streams = Streams(seeds)
    return transform


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


@pytest.mark.parametrize("make", [lambda: RandomViews(views=3, rotate=20, scale=(0.5, 2), shift=0.3),
                                  lambda: RandomRoll(pixels=5), lambda: RandomCrop(margin=4),
                                  lambda: RandomBoxes(boxes=3, size=(5, 7), shares=(0.5, 0.1), updates=4),
                                  lambda: RandomNoise(deviation=0.1)])  # fmt: skip
def test_an_image_of_a_batch_is_changed_as_if_alone(make):
    torch.manual_seed(0)
    images, seeds = torch.rand(8, 3, 12, 12), range(3, 11)
    together, alone = of(make(), *seeds), [of(make(), seed) for seed in seeds]
    for _ in range(4):
        changed = together(images)
        each = [transform(image[None]) for transform, image in zip(alone, images, strict=True)]
        assert torch.equal(changed, torch.cat(each))
    assert len({image.sum().item() for image in changed}) == len(changed)  # each by its own numbers


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
    with pytest.raises(UserError, match="views is a whole number|not below 0"):
        RandomViews(**settings)


def test_a_crop_is_a_part_of_its_own_image():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 9, 10)
    places = set()
    for image, crop in zip(images, of(RandomCrop(margin=3), *range(8))(images), strict=True):
        assert crop.shape == (3, 6, 7)
        found = [(y, x) for y in range(4) for x in range(4) if torch.equal(image[:, y : y + 6, x : x + 7], crop)]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 3


def test_a_crop_is_cut_everywhere_as_often():
    torch.manual_seed(0)
    image, crop = torch.arange(16.0).view(1, 1, 4, 4), of(RandomCrop(margin=2), 0)
    counts = torch.zeros(3, 3)
    for _ in range(900):
        first = int(crop(image)[0, 0, 0, 0])
        counts[first // 4, first % 4] += 1
    assert (counts - 100).abs().max() < 40  # four standard deviations


@pytest.mark.parametrize("margin", [0, 1, 4, 5])
def test_from_its_update_on_the_middle_is_cut_and_nothing_is_drawn(margin):
    images, crop = torch.rand(2, 3, 12, 14), of(RandomCrop(margin=margin, until=7), 0, 1)
    first = margin // 2
    middle = images[..., first : first + 12 - margin, first : first + 14 - margin]
    cuts = []
    for update in range(12):
        crop.update = update
        before = crop.streams.state()
        cuts.append(torch.equal(crop(images), middle))
        drawn = not all(torch.equal(a, b) for a, b in zip(before, crop.streams.state(), strict=True))
        assert drawn is (update < 7)
    assert all(cuts[7:])
    assert not all(cuts[:7]) or margin == 0


def test_a_roll_loses_nothing():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 6, 6)
    rolled = of(RandomRoll(pixels=2), *range(8))(images)
    shifts = set()
    for image, other in zip(images, rolled, strict=True):
        near = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if torch.equal(image.roll((y, x), (1, 2)), other)]
        assert len(near) == 1
        shifts.update(near)
    assert len(shifts) > 3


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [(RandomCrop, {"margin": -1}, "whole number"), (RandomCrop, {"margin": 1.5}, "whole number"),
     (RandomCrop, {"margin": 2, "until": -1}, "until is a whole number"),
     (RandomCrop, {"margin": 2, "until": 2.5}, "until is a whole number"),
     (RandomRoll, {"pixels": 0.5}, "whole number"), (RandomRoll, {"pixels": -2}, "whole number")],
)  # fmt: skip
def test_margins_and_shifts_are_whole_numbers(kind, settings, says):
    with pytest.raises(UserError, match=says):
        kind(**settings)


def test_half_of_the_images_are_mirrored():
    torch.manual_seed(0)
    images = torch.rand(64, 3, 4, 6)
    mirrored = 0
    for image, other in zip(images, RandomFlip()(images), strict=True):
        assert torch.equal(other, image) or torch.equal(other, image.flip(2))
        mirrored += int(not torch.equal(other, image))
    assert 16 < mirrored < 48


def test_another_light_is_one_contrast_one_brightness_and_one_tint_an_image():
    torch.manual_seed(0)
    images = torch.rand(400, 3, 5, 5, dtype=torch.float64)
    changed = RandomColours(contrast=0.3, tint=0.1)(images)
    centre = images - images.mean((2, 3), keepdim=True)
    factor = (changed - changed.mean((2, 3), keepdim=True)) / centre
    torch.testing.assert_close(factor, factor[:, :1, :1, :1].expand_as(factor))
    assert factor[:, 0, 0, 0].log().std().item() == pytest.approx(0.3, rel=0.15)
    offset = (changed - (images - 0.45) * factor[:, :1, :1, :1] - 0.45)[:, :, 0, 0]  # brightness and tint
    assert (offset - offset.mean(1, keepdim=True)).std().item() == pytest.approx(0.1 * (2 / 3) ** 0.5, rel=0.15)
    assert offset.mean(1).std().item() == pytest.approx((0.15**2 + 0.1**2 / 3) ** 0.5, rel=0.15)
    assert torch.equal(RandomColours()(images), (images - 0.45) + 0.45)


def test_light_has_no_negative_deviation():
    for settings in ({"contrast": -0.1}, {"tint": -1}):
        with pytest.raises(UserError, match="0 or more"):
            RandomColours(**settings)


@pytest.mark.parametrize("transform", [RandomCrop(margin=3), RandomRoll(pixels=3)])
def test_the_views_of_an_image_are_moved_each_its_own_way(transform):
    torch.manual_seed(0)
    views = torch.rand(1, 3, 12, 12).expand(8, 3, 12, 12)
    moved = transform(views)
    assert len(moved) == 8
    assert len({tuple(view.flatten().tolist()) for view in moved}) > 3


def test_what_leaves_nothing_is_refused():
    with pytest.raises(UserError, match="leaves nothing"):
        RandomCrop(margin=9)(torch.rand(1, 3, 8, 8))
    with pytest.raises(UserError, match="generator=pixels"):
        RandomCrop(margin=None)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "constant"])
def test_a_frame_is_around_the_image(mode):
    images = torch.rand(2, 3, 5, 6)
    framed = Pad(pixels=2, mode=mode)(images)
    assert framed.shape == (2, 3, 9, 10)
    assert torch.equal(framed[..., 2:-2, 2:-2], images)
    corner = {"reflect": images[:, :, 2, 2], "replicate": images[:, :, 0, 0], "constant": torch.full((2, 3), 0.5)}
    assert torch.equal(framed[:, :, 0, 0], corner[mode])


def test_a_frame_is_of_a_width_and_a_kind():
    for settings in ({"pixels": -1}, {"pixels": 1.5}, {"pixels": 2, "mode": "grey"}):
        with pytest.raises(UserError, match="whole number of pixels"):
            Pad(**settings)
    with pytest.raises(UserError, match="mirrors no"):
        Pad(pixels=8)(torch.rand(1, 3, 8, 8))
