import pytest
import torch

from genviz.images.maps import alone, over, scaled, signed_picture, with_bar


def test_zero_is_grey_and_the_percentile_an_end():
    values = torch.zeros(3, 20, 20)
    values[0, 0, 0], values[1, 0, 1], values[2, 5, 5] = 4.0, -4.0, 400.0
    pixels = signed_picture(values, percentile=99.8)
    assert pixels.shape == (20, 20, 3)
    assert pixels.dtype == torch.uint8
    assert pixels[10, 10].tolist() == [128, 128, 128]
    assert pixels[0, 0, 0] == 255
    assert pixels[0, 1, 1] == 0
    assert pixels[5, 5, 2] == 255  # beyond the percentile
    assert (signed_picture(torch.zeros(3, 4, 4)) == 128).all()


def test_a_signed_map_has_zero_in_the_middle():
    values = torch.tensor([[0.0, 1.0], [-2.0, 0.5]])
    shown = scaled(values)
    assert (shown.low, shown.high) == (-2.0, 2.0)
    assert shown.colours[0, 0].min() > 0.9  # white
    positive = scaled(values.abs())
    assert (positive.low, positive.high) == (0.0, 2.0)
    assert positive.colours[0, 0].max() < 0.1  # black
    assert scaled(torch.zeros(2, 2)).high == 1.0


def test_pictures_under_a_map_and_a_bar():
    values = torch.rand(40, 30)
    shown = scaled(values)
    picture = torch.randint(0, 256, (40, 30, 3), dtype=torch.uint8)
    assert over(picture, shown).shape == alone(shown).shape == (40, 30, 3)
    barred = with_bar(alone(shown), shown)
    assert barred.shape[0] == 40
    assert barred.shape[1] > 30
    assert torch.equal(barred[:, :30], alone(shown))
    assert barred[0, 36].float() / 255 == pytest.approx(scaled(values).colours[values >= values.max()][0], abs=0.05)


@pytest.mark.parametrize("end", [1.0, 120.0, 0.00012, 1.2e-5])
def test_the_numbers_at_the_bar_are_whole(end):
    shown = scaled(torch.linspace(-1, 1, 900).view(30, 30) * end)
    numbers = with_bar(torch.zeros(30, 30, 3, dtype=torch.uint8), shown)[:, 30 + 4 + 10 :]
    assert (numbers[:, -4:] == 255).all()  # the margin
    assert (numbers[:, :-4] < 255).any()


def test_a_signed_map_is_grey_at_0_and_the_same_for_every_scale():
    values = torch.randn(3, 9, 11)
    shown = signed_picture(values)
    assert (shown.shape, shown.dtype) == ((9, 11, 3), torch.uint8)
    assert torch.equal(shown, signed_picture(values * 1e-6))
    assert set(signed_picture(torch.zeros(3, 4, 4)).unique().tolist()) == {128}
    lone = torch.zeros(3, 64, 64)
    lone[0, 0, 0], lone[1, 0, 0] = 1, -2
    assert signed_picture(lone)[0, 0].tolist() == [191, 0, 128]
