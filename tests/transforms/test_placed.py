import math

import numpy as np
import pytest
import torch
from PIL import Image
from streams import of

from genviz.errors import UserError
from genviz.images.shapes import opacity
from genviz.transforms.placed import Placed
from genviz.transforms.views import RandomViews

BLACK = torch.zeros(3, 3, 32, 32)
WHITE = torch.ones(1, 3, 16, 16)


def placed(pictures=BLACK, **settings):
    return of(Placed(pictures=pictures, **settings), 0)


def covered(views):
    """The share of a white sticker on black, of each view."""
    return views.mean((1, 2, 3))


@pytest.mark.parametrize("shape", ["circle", "square"])
@pytest.mark.parametrize("place", ["random", "corner", "centre"])
def test_a_sticker_covers_its_area_and_lies_wholly_inside(shape, place):
    views = placed(shape=shape, area=0.2, views=50, rotate=45, place=place)(WHITE)
    assert views.shape == (50, 3, 32, 32)
    torch.testing.assert_close(covered(views), torch.full((50,), 0.2), atol=0.01, rtol=0)


def test_its_size_varies_as_stated():
    shares = covered(placed(area=0.2, sizes=(0.5, 1.5), views=200)(WHITE)) / 0.2
    assert 0.24 < shares.min() < 0.3
    assert 2.0 < shares.max() < 2.26


def test_unturned_in_the_middle_and_in_the_corner_it_is_itself():
    sticker, scenes = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 8, 8)
    scene = (255 * scenes).round() / 255
    for place, first in (("centre", 2), ("corner", 0)):
        (view,) = placed(scenes, shape="square", area=0.25, views=1, place=place)(sticker)
        wanted = scene[0].clone()
        wanted[:, first : first + 4, first : first + 4] = sticker[0]
        torch.testing.assert_close(view, wanted, atol=1e-5, rtol=0)


def test_it_is_not_stretched_with_the_picture():
    views = placed(torch.zeros(1, 3, 20, 40), shape="square", area=0.125, views=1, place="centre")(WHITE)
    rows, columns = views[0, 0].amax(1) > 0.5, views[0, 0].amax(0) > 0.5
    assert (int(rows.sum()), int(columns.sum())) == (10, 10)


def test_what_is_transparent_shows_the_picture():
    scenes = torch.full((1, 3, 16, 16), 0.2)
    sticker = torch.ones(1, 4, 8, 8)
    sticker[:, 3, :, 4:] = 0  # the right half
    (view,) = placed(scenes, shape="square", area=0.125, views=1, place="centre")(sticker)  # of what is opaque
    assert view[0, 8, 5] == 1
    assert view[0, 8, 10] == pytest.approx(0.2)
    assert (view > 0.6).float().mean() == pytest.approx(0.125, abs=0.01)


def test_places_and_angles_are_spread_and_the_seed_repeats_them():
    views = placed(area=0.05, views=100)(WHITE)[:, 0]
    places = (views.amax(1) * torch.arange(32)).sum(1) / views.amax(1).sum(1)
    assert (places.min() < 6, places.max() > 25) == (True, True)
    torch.testing.assert_close(placed(area=0.05, views=100)(WHITE)[:, 0], views)


def test_an_angle_turns_it():
    transform = placed(torch.zeros(1, 3, 32, 32), shape="square", area=0.25, views=1, rotate=90, place="centre")
    transform.streams.uniform = lambda low, high, *shape: torch.full((1, *shape), float(high) if high < 3 else 0.0)
    sticker = torch.rand(1, 3, 16, 16)
    (view,) = transform(sticker)
    turned = view[None, :, 8:24, 8:24]
    ways = [torch.rot90(sticker, times, (2, 3)) for times in (1, 3)]
    assert min((turned - way).abs().max() for way in ways) < 1e-4


def test_its_light_is_its_own():
    scenes = torch.full((1, 3, 16, 16), 0.2)
    views = placed(scenes, shape="square", area=0.25, views=20, light=0.3, place="centre")(WHITE / 2)
    assert views[:, 0, 8, 8].std() > 0.05
    torch.testing.assert_close(views[:, :, 0, 0], torch.full((20, 3), 0.2))
    assert (views.min() >= 0, views.max() <= 1) == (True, True)


def test_the_views_of_a_sticker_are_side_by_side():
    stickers = torch.tensor([0.25, 0.5, 0.75]).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    transform = of(Placed(pictures=BLACK, views=4, area=0.2, place="centre"), 0, 1, 2)
    assert transform(stickers)[:, 0, 16, 16].tolist() == pytest.approx([0.25] * 4 + [0.5] * 4 + [0.75] * 4)


def test_the_gradient_is_right_and_reaches_nothing_outside_of_the_circle():
    sticker = torch.rand(1, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    scenes = torch.rand(2, 3, 8, 8)
    settings = {"views": 2, "area": 0.3, "rotate": 20, "sizes": (0.9, 1.1)}
    assert torch.autograd.gradcheck(lambda x: placed(scenes, **settings)(x), sticker)
    placed(scenes, **settings)(sticker).sum().backward()
    outside = opacity("circle", 6)[0] == 0
    assert outside.any()
    assert (sticker.grad[:, :, outside] == 0).all()


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        Image.new("RGB", (20, 10), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    return tmp_path


def test_every_second_picture_of_a_folder_is_held_out(folder):
    views = placed(str(folder), size=(8, 8), views=100, area=0.05)(WHITE)
    reds = {round(255 * float(red)) for red in views[:, 0].amin((1, 2))}
    assert reds == {0, 80, 160}  # without 40, 120, 200


def test_a_copy_does_not_count(folder):
    Image.open(folder / "0.png").save(folder / "0 copy.png")
    reds = placed(str(folder), size=(8, 8)).scenes[:, 0].amin((1, 2)).tolist()
    assert sorted(reds) == [0, 80, 160]  # and not 0, 0, 80, 160


def test_damaged_pictures_are_named_and_left_out(folder, capsys):
    (folder / "2.png").write_bytes(b"no picture")
    assert len(placed(str(folder), size=(8, 8)).scenes) == 2
    assert capsys.readouterr().err == f"left out: {folder}/2.png cannot be decoded\n"
    assert len(placed(str(folder), size=(9, 9), most=1).scenes) == 1


def test_the_masks_area_is_that_of_the_shape():
    assert opacity("circle", 100).mean() == pytest.approx(math.pi / 4, abs=1e-3)
    assert opacity("square", 7).mean() == 1
    assert np.array_equal(opacity("circle", 9).numpy(), opacity("circle", 9).flip(1).numpy())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"area": 0.0}, "area=0.0 must be a share of the picture, above 0"),
        ({"area": 1.5}, "area=1.5"),
        ({"area": math.nan}, "area=nan"),
        ({"area": True}, "area=True"),
        ({"area": 0.8}, r"a circle of 0.8 of the area is larger than a picture of 32 x 32 .* at most 0.785"),
        ({"area": 0.6, "shape": "square", "rotate": 45}, "at most 0.5"),
        ({"area": 0.6, "sizes": (1, 1.2)}, "of 0.864 of the area"),
        ({"sizes": (1.2, 1)}, r"sizes=\(1.2, 1\) must be two factors"),
        ({"sizes": (0, 1)}, "sizes="),
        ({"sizes": 1}, "sizes=1"),
        ({"views": 0}, "views=0 must be a whole number"),
        ({"views": 1.5}, "views=1.5"),
        ({"most": 0}, "most=0"),
        ({"rotate": -1}, "rotate=-1 must be a number, 0 or more"),
        ({"light": "bright"}, "light=bright"),
        ({"place": "left"}, "place=left is unknown; it takes random, corner, centre"),
        ({"shape": "star"}, "shape=star is unknown; it takes circle, square"),
        ({"pictures": None}, "pictures=FOLDER"),
        ({"pictures": "/nowhere"}, "size=None must be rows and columns"),
        ({"pictures": "/nowhere", "size": (8, 8)}, "pictures=/nowhere: there is no such folder"),
    ],
)
def test_what_cannot_work_is_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        placed(**settings)


def test_a_view_of_a_sticker_is_a_sticker():
    views = of(RandomViews(views=2, rotate=20), 0, 1)(torch.rand(2, 3, 16, 16))
    pasted = of(Placed(pictures=BLACK, views=3), 0, 1)(views)
    assert pasted.shape == (2 * 2 * 3, 3, 32, 32)
    assert pasted.flatten(1).any(1).all()


def test_a_sticker_that_is_not_square_is_one_line():
    with pytest.raises(UserError, match="pastes squares, not 8 x 16 pixels; try generator=patch"):
        placed()(torch.rand(1, 3, 8, 16))
