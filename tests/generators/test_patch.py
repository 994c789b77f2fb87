import pytest
import torch

from genviz.errors import UserError
from genviz.generators.patch import Patch
from genviz.images.randomness import Streams


def test_the_pixels_are_the_parameters_and_begin_grey():
    generator = Patch(size=12)
    assert generator().images.shape == (1, 3, *generator.image_size) == (1, 3, 12, 12)
    assert (generator().images == 0.5).all()
    assert generator().images is generator.values


def test_outside_of_the_circle_it_is_white_when_it_is_done():
    generator = Patch(size=20, shape="circle").eval()
    images = generator().images
    assert (images[..., 0, 0] == 1).all()
    assert (images[..., 10, 0] == 0.5).all()
    assert (Patch(size=20, shape="square").eval()().images == 0.5).all()


def test_the_constraint_is_a_projection():
    generator = Patch(size=8)
    with torch.no_grad():
        generator.values += torch.linspace(-2, 2, generator.values.numel()).view_as(generator.values)
    inside = (generator.values > 0) & (generator.values < 1)
    before = generator.values.clone()
    generator.constrain()
    assert (generator.values.min(), generator.values.max()) == (0, 1)
    assert torch.equal(generator.values[inside], before[inside])


def test_several_draw_their_own_noise():
    values = Patch(size=8, start="noise", streams=Streams([1, 2, 1])).values
    assert values.shape == (3, 3, 8, 8)
    assert torch.equal(values[0], values[2])
    assert not torch.equal(values[0], values[1])
    assert (values.min() >= 0, values.max() <= 1) == (True, True)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": 7}, "generator.size=7 must be a whole number of pixels from 8"),
        ({"size": 10.0}, "generator.size=10.0"),
        ({"size": (8, 8)}, "generator.size="),
        ({"shape": "star"}, "generator.shape=star is unknown; it takes circle, square"),
        ({"start": "cat.jpg"}, "generator.start=cat.jpg is unknown; it takes grey, noise"),
    ],
)
def test_what_cannot_work_is_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Patch(**settings)
