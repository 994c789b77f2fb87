import shutil

import linear_network
import numpy as np
import pytest
import torch
from PIL import Image

from genviz.adversarial.universal.halves import halves
from genviz.errors import UserError


def test_every_other_one_is_held_out(tmp_path):
    root = linear_network.folder(tmp_path / "photos", 7)
    read = halves(str(root), (8, 8))
    assert read.used.names == ["00.png", "02.png", "04.png", "06.png"]
    assert read.held_out.names == ["01.png", "03.png", "05.png"]
    wanted = torch.from_numpy(np.array(Image.open(root / "03.png"))).permute(2, 0, 1)
    assert torch.equal(read.held_out.images[1], wanted)
    assert read.used.digest == halves(str(root), (8, 8)).used.digest != read.held_out.digest


def test_copies_and_damaged_ones_are_in_neither_half(tmp_path):
    root = linear_network.folder(tmp_path / "photos", 6)
    shutil.copy(root / "00.png", root / "01b.png")
    (root / "below").mkdir()
    Image.open(root / "03.png").save(root / "below/03.bmp")
    (root / "02b.jpg").write_bytes(b"nothing")
    read = halves(str(root), (8, 8))
    assert read.damaged == ["02b.jpg"]
    assert read.repeated == ["01b.png", "below/03.bmp"]
    assert read.used.names == ["00.png", "02.png", "04.png"]
    both = torch.cat([read.used.images, read.held_out.images])
    assert len(both.unique(dim=0)) == len(both) == 6


def test_they_are_resized(tmp_path):
    Image.new("RGB", (30, 20), "red").save(tmp_path / "a.png")
    Image.new("L", (5, 50), 7).save(tmp_path / "b.png")
    read = halves(str(tmp_path), (8, 12))
    assert read.used.images.shape == read.held_out.images.shape == (1, 3, 8, 12)
    assert (read.held_out.images == 7).all()


def test_two_are_needed(tmp_path):
    linear_network.folder(tmp_path / "photos", 1)
    shutil.copy(tmp_path / "photos/00.png", tmp_path / "photos/01.png")
    with pytest.raises(UserError, match="1 of 2 pictures can be used"):
        halves(str(tmp_path / "photos"), (8, 8))
