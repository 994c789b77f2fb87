import numpy as np
import pytest
from PIL import Image

from genviz.errors import UserError
from genviz.images.sheet import Cell, check_suffix, write_contact_sheets, write_sheet


def test_rows_of_pictures_side_by_side(tmp_path):
    colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    for name, colour in colours.items():
        Image.new("RGB", (80 if name == "blue" else 40, 40), colour).save(tmp_path / f"{name}.png")
    entries = {name: (name, tmp_path / f"{name}.png") for name in colours}
    write_sheet(tmp_path / "sheet.png", [[entries["red"], entries["green"]], [entries["blue"]]], 20)
    sheet = Image.open(tmp_path / "sheet.png").convert("RGB")
    counts = {colour: count for count, colour in sheet.getcolors(10**6)}
    assert counts[255, 0, 0] == counts[0, 255, 0] == 20 * 20
    assert counts[0, 0, 255] == 40 * 20  # a strip is as wide as it is
    places = [(x, y) for y in range(sheet.height) for x in range(sheet.width)]
    where = {name: next(place for place in places if sheet.getpixel(place) == rgb) for name, rgb in colours.items()}
    assert where["red"][1] == where["green"][1] < where["blue"][1]
    assert where["red"][0] == where["blue"][0] < where["green"][0]


def test_small_pictures_are_not_enlarged_and_long_names_are_cut(tmp_path):
    Image.new("RGB", (30, 30), (255, 0, 0)).save(tmp_path / "a.png")
    write_sheet(tmp_path / "sheet.jpg", [[("a name much longer than its picture", tmp_path / "a.png")]], 200)
    sheet = Image.open(tmp_path / "sheet.jpg")
    assert (sheet.format, sheet.width) == ("JPEG", 30 + 2 * 8)


def test_contact_sheets_hold_a_hundred_ten_by_ten(tmp_path):
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "a.png")
    cells = [Cell(f"name {number}", "recognised", "green", tmp_path / "a.png") for number in range(213)]
    paths = write_contact_sheets(tmp_path / "sheets", "title", cells, side=20)
    assert [path.name for path in paths] == ["sheet-1.png", "sheet-2.png", "sheet-3.png"]
    sheets = [Image.open(path).convert("RGB") for path in paths]
    reds = [{colour: count for count, colour in sheet.getcolors(10**6)}[255, 0, 0] for sheet in sheets]
    assert reds == [100 * 400, 100 * 400, 13 * 400]
    assert sheets[0].size == sheets[1].size
    assert sheets[2].width == sheets[0].width
    assert sheets[2].height < sheets[0].height / 3


def test_a_contact_sheet_takes_pictures_of_every_shape_and_name(tmp_path):
    Image.new("RGB", (400, 40), (255, 0, 0)).save(tmp_path / "wide.png")
    Image.new("LA", (10, 40)).save(tmp_path / "grey.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    names = ["wide", "grey", "broken", "missing"]
    cells = [Cell("☃ \U0001f600 " * 200, "", "black", tmp_path / f"{name}.png") for name in names]
    [path] = write_contact_sheets(tmp_path, "", cells, side=20)
    counts = {colour: count for count, colour in Image.open(path).convert("RGB").getcolors(10**6)}
    assert counts[255, 0, 0] == 20 * 2


def test_a_contact_sheet_is_written_when_something_of_it_changes(tmp_path):
    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "a.png")
    foreign = tmp_path / "sheet-7.png"
    Image.new("RGB", (1, 1)).save(foreign)
    cells = [Cell("name", "recognised", "green", tmp_path / "a.png")] * 101
    first, second = write_contact_sheets(tmp_path, "title", cells)
    made = first.stat().st_mtime_ns
    assert write_contact_sheets(tmp_path, "title", cells) == [first, second]
    assert first.stat().st_mtime_ns == made
    assert write_contact_sheets(tmp_path, "title", cells[:100]) == [first]
    assert first.stat().st_mtime_ns != made  # it says of how many
    assert not second.exists()
    assert foreign.exists()
    assert write_contact_sheets(tmp_path, "title", []) == []
    assert not first.exists()


def test_tiny_pictures_are_enlarged_by_a_whole_factor(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "tiny.png")
    Image.new("RGB", (60, 70)).save(tmp_path / "other.png")
    write_sheet(
        tmp_path / "sheet.png", [[("tiny", tmp_path / "tiny.png"), ("other", tmp_path / "other.png")]], 200, 128
    )
    shown = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert np.array_equal(shown[25 : 25 + 120 : 4, 8 : 8 + 80 : 4], pixels)
    assert shown.shape[1] == 8 + 80 + 8 + 60 + 8  # the other is too large for twice its size


@pytest.mark.parametrize("size", [(4, 1600), (1600, 1), (1, 3000)])
def test_a_sheet_takes_pictures_of_every_shape(tmp_path, size):
    Image.new("RGB", size, (255, 0, 0)).save(tmp_path / "strip.png")
    write_sheet(tmp_path / "sheet.png", [[("strip", tmp_path / "strip.png")]], 160)
    assert Image.open(tmp_path / "sheet.png").height > 1


def test_a_suffix_may_be_in_capitals(tmp_path):
    Image.new("RGB", (30, 30)).save(tmp_path / "a.png")
    for name, format_ in (("A.PNG", "PNG"), ("A.JPG", "JPEG"), ("a.jpeg", "JPEG")):
        check_suffix(tmp_path / name)
        write_sheet(tmp_path / name, [[("a", tmp_path / "a.png")]])
        assert Image.open(tmp_path / name).format == format_
    with pytest.raises(UserError, match=r"must end in .png, .jpg or .jpeg"):
        check_suffix(tmp_path / "a.gif")
