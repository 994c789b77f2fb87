import pytest
import torch

from genviz.classifiers.tracing.receptive_field import Area, ReceptiveField
from genviz.interfaces import Layer
from genviz.retrieval.cut import Box, box_of, cut, place_of


def square(field):
    return Area(field, field)


@pytest.mark.parametrize(
    ("place", "box"),
    [((0, 0), (-2, -2, 3, 3)), ((2, 1), (0, 2, 5, 7)), ((4, 4), (6, 6, 11, 11))],
)
def test_a_field_is_centred_on_its_position(place, box):
    assert box_of(place, square(ReceptiveField(5, 2, 0.0)), (10, 10)) == box


def test_an_even_field_begins_where_pooling_does():
    assert box_of((1, 3), square(ReceptiveField(2, 2, 0.5)), (10, 10)) == (6, 2, 8, 4)


@pytest.mark.parametrize(
    ("place", "field"),
    [
        ((3, 3), None),
        ((), square(ReceptiveField(3, 1, 0.0))),
        ((7,), None),
        ((1, 1), square(ReceptiveField(12, 4, 1.5))),
    ],
)
def test_what_depends_on_the_whole_picture_is_cut_to_it(place, field):
    assert box_of(place, field, (10, 12)) == (0, 0, 12, 10)


def test_each_direction_is_its_own():
    area = Area(ReceptiveField(3, 1, 0.0), ReceptiveField(7, 2, 1.0))
    assert box_of((4, 2), area, (10, 20)) == (2, 3, 9, 6)
    assert box_of((4, 2), area, (3, 20)) == (2, 0, 9, 3)


@pytest.mark.parametrize(
    ("shape", "position", "place"),
    [((4, 5, 7), 9, (1, 2)), ((4, 5), 3, (3,)), ((4,), 0, ()), ((4, 2, 5, 7), 46, (1, 1, 4))],
)
def test_a_position_is_found_again(shape, position, place):
    assert place_of(position, Layer("a", "a", shape)) == place


def test_beyond_the_border_is_what_is_said():
    image = torch.arange(2.0 * 4 * 5).view(2, 4, 5)
    whole = cut(image, Box(-1, -2, 7, 6), -1.0)
    assert whole.shape == (2, 8, 8)
    assert torch.equal(whole[:, 2:6, 1:6], image)
    whole[:, 2:6, 1:6] = -1
    assert (whole == -1).all()
    assert torch.equal(cut(image, Box(1, 2, 3, 4), -1.0), image[:, 2:4, 1:3])
    corner = cut(image, Box(3, -1, 6, 2), 0.5)
    assert torch.equal(corner[:, 1:, :2], image[:, :2, 3:])
    assert (corner[:, 0] == 0.5).all()
    assert (corner[:, :, 2] == 0.5).all()
