import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from genviz.learning import picture_folders


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_name_that_is_not_utf8_can_be_printed(compose, tmp_path):
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ph\xff"))
    root.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8)).save(root / f"{number}.png")
    (root / os.fsdecode(b"n\xff.txt")).write_text("")
    config = compose("data.root=elsewhere", "data.hold_out=2", "teacher=small", name="distill")
    config.data.root = str(root)
    (folder,) = picture_folders.folders(config)
    assert folder.name == "ph\\udcff"
    assert str(folder).encode().endswith(b"(n\\udcff.txt)")
    assert picture_folders.names([folder])[0] == f"ph\\udcff/1.png {(root / '1.png').stat().st_size}"


def test_a_checkpoint_knows_pictures_by_name_and_size(tmp_path):
    (tmp_path / "a.png").write_bytes(b"123")
    folder = picture_folders.Folder(tmp_path, "photos", [tmp_path / "a.png"], [], [])
    assert picture_folders.names([folder]) == ["photos/a.png 3"]
