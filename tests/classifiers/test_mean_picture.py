import pytest
import torch

from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.mean_picture import MeanPicture
from genviz.errors import UserError


def test_each_pixel_loses_its_own_mean():
    torch.manual_seed(0)
    picture, images = 255 * torch.rand(3, 5, 4), torch.rand(2, 3, 5, 4)
    torch.testing.assert_close(MeanPicture(picture, channels="RGB")(images), 255 * images - picture, rtol=0, atol=1e-4)
    expected = 255 * images.flip(1) - picture
    torch.testing.assert_close(MeanPicture(picture, channels="BGR")(images), expected, rtol=0, atol=1e-4)


def test_a_picture_of_one_colour_is_that_colour_at_any_size():
    picture = torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1).expand(3, 6, 6)
    images = torch.rand(1, 3, 9, 7)
    space = InputSpace(channels="BGR", scale=255.0, mean=(104, 117, 123))
    torch.testing.assert_close(MeanPicture(picture, channels="BGR")(images), space(images))
    assert MeanPicture(picture, channels="BGR").settings == space.settings


def test_it_is_seen_through():
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    MeanPicture(torch.rand(3, 4, 4), channels="RGB")(images).sum().backward()
    assert images.grad.unique().tolist() == [255.0]


@pytest.mark.parametrize("shape", [(3, 4), (4, 4, 3), (3, 0, 4)])
def test_other_shapes_are_no_pictures(shape):
    with pytest.raises(UserError, match="three channels"):
        MeanPicture(torch.ones(shape), channels="RGB")
    with pytest.raises(UserError, match="finite"):
        MeanPicture(torch.full((3, 2, 2), torch.inf), channels="RGB")
