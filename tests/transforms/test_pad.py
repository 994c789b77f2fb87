import pytest
import torch

from genviz.errors import UserError
from genviz.transforms.pad import Pad


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
    with pytest.raises(UserError, match="cannot mirror"):
        Pad(pixels=8)(torch.rand(1, 3, 8, 8))
