import pytest
import torch

from genviz.errors import UserError
from genviz.transforms.colours import RandomColours


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
