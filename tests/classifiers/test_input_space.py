import json
import math

import numpy as np
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


@pytest.mark.parametrize("settings", [
    {"channels": "HSV"}, {"mean": (1, 2)}, {"std": (1, 0, 1)}, {"mean": (1, 2, math.nan)}, {"std": (1, math.inf, 1)},
    {"scale": math.nan}, {"scale": "a"}, {"mean": 3}, {"std": ("a", "b", "c")}, {"mean": None},
])  # fmt: skip
def test_what_is_no_input_space_is_one_line(settings):
    with pytest.raises(UserError, match="an input space has"):
        InputSpace(**settings)


@pytest.mark.parametrize(
    "given", [np.array, torch.tensor, lambda numbers: [np.float64(number) for number in numbers],
              lambda numbers: torch.tensor(numbers).double().view(3, 1, 1)]
)  # fmt: skip
def test_numpys_and_torchs_numbers_are_numbers(given):
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    images = torch.rand(2, 3, 4, 4)
    space = InputSpace(mean=given(mean), std=given(std), scale=np.float64(1))
    got = space(images)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, normalize(images, mean, std))
    assert json.loads(json.dumps(space.settings))["mean"] == pytest.approx(mean)
