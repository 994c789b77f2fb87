from PIL import Image

from genviz.sheet import write_sheet


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
