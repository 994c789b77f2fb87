import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.images.decoding import decoded


def test_pictures_are_bytes_of_one_size_and_damaged_ones_are_named_and_left_out(tmp_path, capsys):
    Image.new("RGB", (20, 30), (255, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    Image.new("L", (5, 5), 7).save(tmp_path / "c.png")
    found = decoded(sorted(tmp_path.iterdir()), (6, 8))
    assert (found.pixels.dtype, found.pixels.shape) == (torch.uint8, (2, 3, 6, 8))
    assert found.pixels[:, :, 0, 0].tolist() == [[255, 0, 0], [7, 7, 7]]
    assert [path.name for path in found.paths] == ["a.png", "c.png"]
    assert capsys.readouterr().err == f"left out: {tmp_path}/b.jpg cannot be decoded\n"


def test_without_a_sound_one_it_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"none of the 1 pictures can be decoded, such as .*a.png"):
        decoded([tmp_path / "a.png"], (4, 4))
