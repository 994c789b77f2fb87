import pytest
import torch
from torchvision.transforms.functional import normalize

from genviz.classifiers.input_space import InputSpace, caffe
from genviz.errors import UserError


def test_torchvisions_normalization():
    images = torch.rand(2, 3, 4, 4)
    mean, std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)
    torch.testing.assert_close(InputSpace(mean=mean, std=std)(images), normalize(images, mean, std))


def test_caffes_by_hand():
    red = torch.tensor([1.0, 0.0, 0.5]).view(1, 3, 1, 1)
    assert caffe()(red).flatten().tolist() == [0.5 * 255 - 104, 0 - 117, 255 - 123]


def test_caffes_with_another_mean():
    assert caffe((1, 2, 3))(torch.zeros(1, 3, 1, 1)).flatten().tolist() == [-1, -2, -3]


def test_out_of_range_values_go_on():
    assert caffe()(torch.full((1, 3, 1, 1), 2.0))[0, 0].item() == 510 - 104


@pytest.mark.parametrize("settings", [{"channels": "HSV"}, {"mean": (1, 2)}, {"std": (1, 0, 1)}])
def test_what_is_no_input_space_is_one_line(settings):
    with pytest.raises(UserError, match="an input space has"):
        InputSpace(**settings)
