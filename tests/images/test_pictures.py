import numpy as np
import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.images.pictures import display, read_image, read_picture, read_upright, side_by_side, write_png


def test_what_was_written_is_read_back(tmp_path):
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (5, 7, 3), dtype=torch.uint8)
    write_png(tmp_path / "p.png", pixels, {"target": "class:harmonica"})
    torch.testing.assert_close(read_image(tmp_path / "p.png")[0].permute(1, 2, 0) * 255, pixels.float())
    assert Image.open(tmp_path / "p.png").text == {"target": "class:harmonica"}


def test_rgb_is_clipped_and_rounded():
    image = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0, 100.6 / 255]).view(1, 2, 3).expand(3, 2, 3)
    assert display(image)[..., 0].flatten().tolist() == [0, 0, 128, 255, 255, 101]


def test_despraz_is_the_square_root_of_the_stretch():
    image = torch.tensor([-3.0, 1.0, 13.0]).view(3, 1, 1)  # over the minimum: 0, 4, 16
    assert display(image, "despraz").flatten().tolist() == [0, 128, 255]
    assert display(torch.zeros(3, 2, 2), "despraz").max() == 0  # flat, and no division by 0


def test_chollets_picture_has_a_tenth_of_the_range_as_its_deviation_around_grey():
    away = torch.tensor([10.0, 50.0, 60.0])  # from the mean colour; from their mean -30, 10 and 20, deviation 21.6
    image = ((torch.tensor([123.0, 117.0, 104.0]) + away) / 255).view(3, 1, 1)
    assert display(image, "chollet").flatten().tolist() == [92, 139, 151]  # 255 (0.5 - 0.1 * 30 / 21.6), ...
    torch.manual_seed(0)
    shown = display(3 * torch.randn(3, 40, 40) + 7, "chollet").double()
    assert shown.mean() == pytest.approx(127.5, abs=0.1)
    assert shown.std(correction=0) == pytest.approx(25.5, abs=0.1)
    spike = torch.full((3, 20, 20), 0.5)
    spike[:, 3, 4] = torch.tensor([9.0, -9.0, 0.5])
    assert display(spike, "chollet")[3, 4].tolist()[:2] == [255, 0]  # what is beyond the range is clipped


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_any_mode_is_read_as_rgb(tmp_path, mode):
    path = tmp_path / ("p.tif" if mode == "CMYK" else "p.png")
    halves = Image.new("RGB", (4, 3), "white")
    halves.paste((255, 0, 0), (0, 0, 2, 3))
    halves.convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (1, 3, 3, 4)
    assert (image[..., 2:] == 1).all()
    if mode != "1":  # red is a pattern there
        red = (76, 76, 76) if mode == "L" else (255, 0, 0)
        assert (255 * image[0, :, 0, 0]).tolist() == pytest.approx(red, abs=1)


def test_no_picture_is_one_line(tmp_path):
    (tmp_path / "p.png").write_text("no picture")
    for path in (tmp_path / "p.png", tmp_path / "missing.png"):
        with pytest.raises(UserError, match="cannot read the picture"):
            read_image(path)


def test_each_image_of_a_row_is_displayed_by_itself():
    images = torch.stack([torch.linspace(0, 1, 48).view(3, 4, 4), torch.linspace(0.4, 0.5, 48).view(3, 4, 4)])
    for how in ("rgb", "despraz", "stretch", "chollet"):
        row = side_by_side(display(images, how))
        assert torch.equal(row[:, :4], display(images[0], how))
        assert torch.equal(row[:, 4:], display(images[1], how))
    assert display(images[1], "stretch").min() == 0
    assert display(images[1], "stretch").max() == 255


@pytest.mark.parametrize(
    ("values", "expected"),
    [(np.array([[0, 0.5, 1]], np.float32), [0, 128, 255]), (np.array([[0, 0.5, 1.01]], np.float32), [0, 128, 255]),
     (np.array([[0, 100.0, 255]], np.float32), [0, 100, 255]),
     (np.array([[0, 25600.0, 65535]], np.float32), [0, 100, 255]), (np.array([[0, 100, 255]], np.int32), [0, 100, 255]),
     (np.array([[0, 25600, 65535]], np.int32), [0, 100, 255]), (np.zeros((1, 3), np.float32), [0, 0, 0]),
     (np.array([[0, 25600, 65535]], np.uint16), [0, 100, 255])],
)  # fmt: skip
def test_a_tiff_of_floats_or_many_bits_keeps_its_greys(tmp_path, values, expected):
    Image.fromarray(values).save(tmp_path / "a.tiff")
    assert read_picture(tmp_path / "a.tiff")[0, 0].tolist() == expected
    assert (read_upright(tmp_path / "a.tiff")[0, 2, 0] * 255).round().tolist() == expected


@pytest.mark.parametrize("odd", [-1.0, 1e9, float("nan"), float("inf")])
def test_a_tiff_of_values_in_no_known_range_is_refused(tmp_path, odd):
    Image.fromarray(np.array([[0.0, odd]], np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(UserError, match="its values are from .* not in 0-1, 0-255 or 0-65535"):
        read_upright(tmp_path / "a.tiff")
