import numpy as np
import pytest
from PIL import Image

from genviz.errors import UserError
from genviz.reports.review.real import Wanted, copy_of, copy_real, find_real

LABELS = ("tench", "goldfish", "tiger shark", "Cardigan", "cardigan", "jack-o'-lantern", "tiger", "hen")
WANTED = {label if number != 3 else "Cardigan ": Wanted(label, number) for number, label in enumerate(LABELS)}


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"

    def with_these(*names):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (30, 20), "green").save(folder / name)
        return folder

    return with_these


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("n01440764_tench.jpg", "tench"),
        ("tench/1.jpg", "tench"),
        ("fish/Tench 12.PNG", "tench"),
        ("tench1.jpg", "tench"),
        ("class-1.jpg", "goldfish"),
        ("class_0001/photo.jpg", "goldfish"),
        ("1/photo.jpg", "goldfish"),
        ("class-goldfish.jpg", "goldfish"),
        ("n01491361_tiger_shark.jpg", "tiger shark"),
        ("TigerShark.jpg", "tiger shark"),
        ("my_tiger.webp", "tiger"),
        ("jack-o-lantern.jpg", "jack-o'-lantern"),
        ("JackOLantern/x.jpg", "jack-o'-lantern"),
        ("n02963159_cardigan.jpg", "cardigan"),
        ("tiger/tench.jpg", "tench"),
    ],
)
def test_a_picture_is_found_by_its_name_or_its_folders(photos, name, label):
    folder = photos(name)
    found = find_real(folder, WANTED, LABELS, [])
    assert {target: paths for target, paths in found.items() if paths} == {label: [folder / name]}


@pytest.mark.parametrize(
    "name", ["kitchen.jpg", "1.jpg", "n01440764.jpg", "photo/7x.jpg", "tigers.jpg", "CARDIGAN.jpg"]
)
def test_what_only_contains_a_label_shows_something_else(photos, name):
    assert not any(find_real(photos(name), WANTED, LABELS, []).values())


def test_the_name_that_says_least_besides_is_taken(photos):
    folder = photos("tench/1.jpg", "a_big_tench.jpg", "n01440764_tench.jpg", "tench.jpg", "tench/tench.jpg")
    names = [str(path.relative_to(folder)) for path in find_real(folder, WANTED, LABELS, [])["tench"]]
    assert names == ["tench/tench.jpg", "tench.jpg", "a_big_tench.jpg", "n01440764_tench.jpg", "tench/1.jpg"]


def test_imagenets_own_folders_are_in_the_classes_order(photos):
    names = [f"n0000000{number}/ILSVRC2012_val_0000001{number}.JPEG" for number in range(8)]
    folder = photos(*names)
    assert list(find_real(folder, WANTED, LABELS, []).values()) == [[folder / name] for name in names]
    (folder / names[0]).unlink()
    assert not any(find_real(folder, WANTED, LABELS, []).values())


def test_pictures_that_runs_have_made_are_not_real(photos):
    folder = photos("outputs/class-tench/final.png", "tench.jpg")
    found = find_real(folder, WANTED, LABELS, [folder / "outputs" / "class-tench"])
    assert found["tench"] == [folder / "tench.jpg"]


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(UserError, match="--pictures.*no such folder"):
        find_real(tmp_path / "nowhere", WANTED, LABELS, [])
    with pytest.raises(UserError, match="no picture in it"):
        find_real(tmp_path, WANTED, LABELS, [])


def test_a_copy_is_upright_small_and_made_once(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (1200, 600), "red").save(tmp_path / "a.jpg", exif=turned)
    assert copy_real(tmp_path, {"class-a": [tmp_path / "a.jpg"]}) == []
    copy = copy_of(tmp_path, "class-a")
    assert Image.open(copy).size == (256, 512)
    made = copy.stat().st_mtime_ns
    copy_real(tmp_path, {"class-a": [tmp_path / "a.jpg"]})
    assert copy.stat().st_mtime_ns == made
    Image.new("RGB", (12, 12), "blue").save(tmp_path / "b.jpg")
    copy_real(tmp_path, {"class-a": [tmp_path / "b.jpg"]})
    assert Image.open(copy).size == (12, 12)


def test_odd_formats_become_colours(tmp_path):
    Image.new("CMYK", (9, 9)).save(tmp_path / "cmyk.jpg")
    Image.new("RGBA", (9, 9), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(tmp_path / "deep.png")
    for name, colour in (("cmyk.jpg", 255), ("clear.png", 255), ("deep.png", 156)):
        copy_real(tmp_path, {"x": [tmp_path / name]})
        picture = Image.open(copy_of(tmp_path, "x"))
        assert picture.mode == "RGB"
        assert abs(picture.getpixel((4, 4))[0] - colour) < 3


def test_the_next_picture_stands_in_for_a_damaged_one(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    Image.new("RGB", (12, 12)).save(tmp_path / "b.jpg")
    assert copy_real(tmp_path, {"x": [tmp_path / "a.jpg", tmp_path / "b.jpg"]}) == ["a.jpg"]
    assert copy_of(tmp_path, "x").exists()


def test_a_copy_goes_with_its_picture_and_no_other_file_does(tmp_path):
    Image.new("RGB", (12, 12)).save(tmp_path / "a.jpg")
    copy_real(tmp_path, {"x": [tmp_path / "a.jpg"]})
    own = copy_of(tmp_path, "own")
    Image.new("RGB", (12, 12)).save(own)
    before = own.read_bytes()
    copy_real(tmp_path, {"x": [], "own": [tmp_path / "a.jpg"]})
    copy_real(tmp_path, {"own": []})
    assert list((tmp_path / "real").iterdir()) == [own]
    assert own.read_bytes() == before
