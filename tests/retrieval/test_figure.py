import numpy as np
import torch
from PIL import Image

from genviz.interfaces import Layer
from genviz.retrieval.cut import Box
from genviz.retrieval.figure import write_figures
from genviz.retrieval.patches import Patch, Patches

LAYER = Layer("relu1", "1", (4, 8, 8))


def filled(value, side=5):
    return torch.full((side, side, 3), value, dtype=torch.uint8)


def of(number, count=9):
    patch = Patch("a.png", 2.0, (1, 1), Box(0, 0, 5, 5), filled(200), filled(100), filled(50))
    return Patches(LAYER, number, [patch] * count)


def test_a_row_is_patches_guided_deconv_and_generated(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "made.png")
    pictures = [tmp_path / "made.png", None, tmp_path / "gone"]
    (path,) = write_figures(tmp_path, "relu1", iter([of(3), of(1, 4), of(2, 0)]), 3, pictures)
    sheet = Image.open(path).convert("RGB")
    assert path.name == "sheet.png"
    starts = [12 + column * 256 for column in range(4)]
    row = [sheet.getpixel((start + 230, 66 + 230)) for start in starts]
    assert row == [(200,) * 3, (100,) * 3, (50,) * 3, (255, 0, 0)]
    second = [sheet.getpixel((start + 40, 66 + 274 + 40)) for start in starts]
    assert second == [(200,) * 3, (100,) * 3, (50,) * 3, (255,) * 3]
    assert sheet.getpixel((12 + 40, 66 + 2 * 274 + 40)) == (255,) * 3


def test_without_generated_pictures_a_column_less(tmp_path):
    (path,) = write_figures(tmp_path, "relu1", [of(3)], 1, None)
    assert Image.open(path).width == 12 + 3 * 256


def test_many_filters_take_several_sheets_and_old_ones_go(tmp_path):
    assert len(write_figures(tmp_path, "relu1", [of(n) for n in range(21)], 21, None)) == 3
    assert [path.name for path in write_figures(tmp_path, "relu1", [of(3)], 1, None)] == ["sheet.png"]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_what_is_not_square_keeps_its_shape(tmp_path):
    Image.new("RGB", (64, 128), "red").save(tmp_path / "made.png")
    wide = torch.full((5, 20, 3), 200, dtype=torch.uint8)
    patch = Patch("a.png", 2.0, (1, 1), Box(0, 0, 20, 5), wide, wide, wide)
    (path,) = write_figures(tmp_path, "relu1", [Patches(LAYER, 3, [patch])], 1, [tmp_path / "made.png"])
    pixels = np.asarray(Image.open(path).convert("RGB"))[66:]
    grey, red = ((pixels == colour).all(-1) for colour in ([200] * 3, [255, 0, 0]))
    assert np.ptp(grey[:, :256].nonzero(), axis=1).tolist() == [19, 79]
    assert np.ptp(red.nonzero(), axis=1).tolist() == [243, 121]
