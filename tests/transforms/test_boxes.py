import pytest
import torch
from streams import of

from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.transforms.boxes import RandomBoxes
from genviz.transforms.views import RandomViews


def boxes(**settings):
    return RandomBoxes(**{"boxes": 1, "size": None, "shares": (0.5, 0.05), "updates": 10} | settings)


class Given(Streams):
    """Draws the same numbers in turn, whatever they are asked for: how far from the mean, in standard deviations."""

    def __init__(self, *numbers):
        super().__init__()
        self.numbers = list(numbers)

    def normal(self, *shape):
        return torch.tensor(self.numbers.pop(0)).view(1, *shape)


def read_off(image, y, x):
    """xplique's crop_and_resize (TensorFlow's), of one place: between four pixels, None where there are none."""
    rows, columns = image.shape[1:]
    if not (0 <= y <= rows - 1 and 0 <= x <= columns - 1):
        return None
    top, left = min(int(y), rows - 2), min(int(x), columns - 2)
    down, right = y - top, x - left
    upper = image[:, top, left] * (1 - right) + image[:, top, left + 1] * right
    lower = image[:, top + 1, left] * (1 - right) + image[:, top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def test_a_box_is_read_off_place_by_place():
    """Centres x = 0.5 + 0.15 z and y, the side s + 0.05 z; ends of a box are its first and last pixels."""
    torch.manual_seed(0)
    images, view = torch.rand(1, 3, 12, 17, dtype=torch.float64), boxes(boxes=2, size=(6, 5), shares=(0.5, 0.3))
    view.streams = Given([[[0.4], [-0.8]], [[3.0], [1.5]]], [1.0, -2.0])
    found = view(images)
    assert found.shape == (2, 3, 6, 5)
    grey = 0
    for number, (x, y, side) in enumerate([(0.56, 0.38, 0.55), (0.95, 0.725, 0.4)]):
        for row in range(6):
            for column in range(5):
                down = (y - side / 2 + side * row / 5) * 11
                across = (x - side / 2 + side * column / 4) * 16
                if 0 < max(down - 11, across - 16) < 1:  # there it goes over into grey, TensorFlow's does at once
                    continue
                wanted = read_off(images[0], down, across)
                grey += wanted is None
                wanted = torch.full((3,), 0.5, dtype=torch.float64) if wanted is None else wanted
                torch.testing.assert_close(found[number, :, row, column], wanted, atol=1e-5, rtol=0)
    assert grey > 5


def test_the_boxes_grow_smaller_evenly_and_stay_between_a_twentieth_and_the_whole():
    ramp = torch.linspace(0, 1, 201, dtype=torch.float64).expand(1, 3, 201, 201)
    view = boxes(shares=(0.5, 0.1), updates=5)
    for update, deviations, side in [(0, 0.0, 0.5), (1, 0.0, 0.4), (4, 0.0, 0.1), (9, 0.0, 0.1), (0, 1.0, 0.55),
                                     (4, -9.0, 0.05), (0, 99.0, 1.0)]:  # fmt: skip
        view.update, view.streams = update, Given([[[0.0], [0.0]]], [deviations])
        seen = view(ramp)[0, 0]
        assert (seen[0, -1] - seen[0, 0]).item() == pytest.approx(side, abs=1e-4)
        assert seen[0, 100].item() == pytest.approx(0.5, abs=1e-4)


def test_a_single_update_has_the_first_share():
    view = boxes(updates=1)
    view.streams = Given([[[0.0], [0.0]]], [0.0])
    ramp = torch.linspace(0, 1, 101).expand(1, 3, 101, 101)
    seen = view(ramp)[0, 0, 0]
    assert (seen[-1] - seen[0]).item() == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"boxes": 0}, "be whole numbers"), ({"updates": 0}, "be whole numbers"), ({"boxes": 1.5}, "whole number"),
     ({"size": "auto"}, "rows and columns"), ({"size": (8,)}, "rows and columns"), ({"size": (8, 0)}, "or null"),
     ({"shares": (0.5,)}, "above 0 and at most 1"),
     ({"shares": (0.5, 0)}, "above 0"), ({"shares": (1.5, 1)}, "at most 1")],
)  # fmt: skip
def test_what_is_no_box_is_refused(settings, says):
    with pytest.raises(UserError, match=says):
        boxes(**settings)


def test_boxes_of_views_are_those_that_each_image_has_alone():
    images, views = torch.rand(2, 3, 8, 8), RandomViews(views=2, shift=0.2)

    def seen(some, *seeds):
        return of(boxes(boxes=3), *seeds)(of(views, *seeds)(some))

    both = seen(images, 0, 1)
    assert both.shape == (2 * 2 * 3, 3, 8, 8)
    torch.testing.assert_close(both, torch.cat([seen(images[:1], 0), seen(images[1:], 1)]))


@pytest.mark.parametrize("settings", [{"size": 224}, {"shares": 0.5}, {"size": [224]}])
def test_what_is_no_pair_is_one_line(settings):
    with pytest.raises(UserError, match="transform: "):
        boxes(**settings)
