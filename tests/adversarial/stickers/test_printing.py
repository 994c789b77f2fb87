import pytest
import torch
from PIL import Image

from genviz.adversarial.stickers.printing import fitted, read_photo, read_sticker, shaped, write_sticker
from genviz.errors import UserError


def test_a_sticker_is_read_back_as_written_transparent_and_of_its_size_on_paper(tmp_path):
    sticker = shaped(torch.rand(1, 3, 20, 20), "circle", 60)
    write_sticker(tmp_path / "sticker.png", sticker, 10.0, {"target": "class:toaster"})
    read = read_sticker(tmp_path / "sticker.png")
    torch.testing.assert_close(read, (255 * sticker).round() / 255)
    with Image.open(tmp_path / "sticker.png") as image:
        assert (image.mode, image.size, image.text["target"]) == ("RGBA", (60, 60), "class:toaster")
        assert 60 / image.info["dpi"][0] * 2.54 == pytest.approx(10.0, rel=1e-3)
    assert (read[0, 3, 0, 0], read[0, 3, 30, 30]) == (0, 1)


def test_a_photograph_is_cut_to_its_middle(tmp_path):
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (10, 0, 20, 10))
    image.save(tmp_path / "a.png")
    photo = read_photo(str(tmp_path / "a.png"), "square", 10)
    assert photo.shape == (1, 4, 10, 10)
    assert photo.mean((2, 3)).tolist() == [[0, 0, 1, 1]]
    with pytest.raises(UserError, match="cannot read the picture"):
        read_photo(str(tmp_path / "b.png"), "square", 10)


def test_a_fitted_sticker_covers_its_area_and_has_no_rim_of_what_is_not_seen():
    sticker = shaped(torch.full((1, 3, 90, 90), 0.25), "circle", 200)
    sticker[:, :3] = torch.where(sticker[:, 3:] > 0, sticker[:, :3], 1.0)  # white outside
    small = fitted(sticker, 0.1, (100, 100))
    assert small[:, 3].sum() == pytest.approx(0.1 * 100 * 100, rel=0.03)
    seen = small[:, :3][(small[:, 3:] > 0.01).expand(-1, 3, -1, -1)]
    torch.testing.assert_close(seen, torch.full_like(seen, 0.25), atol=1e-4, rtol=0)


def test_what_is_no_sticker_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot read the sticker"):
        read_sticker(tmp_path / "a.png")
