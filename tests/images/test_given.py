import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.images.given import decoded, folder_for, given_pictures, name_for, named, readable


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name in ("b.png", "a.jpg", "below/a.png"):
        Image.effect_noise((20, 10), 50).convert("RGB").save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"no picture")
    return tmp_path


def test_a_setting_names_one_a_folder_or_several(folder):
    def names(given):
        return [str(path.relative_to(folder)) for path in given_pictures(given)]

    assert names(f"{folder}/a.jpg") == ["a.jpg"]
    assert names(str(folder)) == ["a.jpg", "b.png", "below/a.png", "c.png"]
    assert names(f"{folder}/**/a*") == ["a.jpg", "below/a.png"]
    assert names([f"{folder}/b.png", f"{folder}/below"]) == ["b.png", "below/a.png"]


@pytest.mark.parametrize(
    ("given", "says"),
    [("none.png", "no such file"), (["a.jpg", "none.png"], "no such file"), ("c.png", "cannot read the picture"),
     (3, "image=3 must be a picture"), ([""], "must be a picture"), ("empty", "no picture in it")],
)  # fmt: skip
def test_what_is_none_is_one_line(folder, monkeypatch, given, says):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=says):
        given_pictures(given)


def test_names_are_unlike_and_those_of_folders(folder):
    files = [folder / "a.jpg", folder / "below/a.png", folder / "x y/é?.png", folder / "x y" / ("long" * 99)]
    assert named(files) == ["a", "a-1", "é-", ("long" * 99)[:80]]


def test_what_cannot_be_decoded_is_told(folder, capsys):
    found = dict(decoded(given_pictures(str(folder)), (6, 8)))
    assert list(found) == [0, 1, 2]
    assert found[0].shape == (1, 3, 6, 8)
    assert 0 <= float(found[0].min()) <= float(found[0].max()) <= 1
    assert found[0].dtype == torch.float32
    assert capsys.readouterr().err == f"left out: {folder}/c.png cannot be decoded\n"


def test_a_name_that_is_not_utf_8_can_be_printed():
    assert readable("a\udcffb").isprintable()


def test_a_folder_is_that_of_its_source_and_of_no_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    first = folder_for(tmp_path / "out", "cat", "x/cat.jpg")
    assert (first, (first / "source.txt").read_text()) == (tmp_path / "out/cat", f"{tmp_path}/x/cat.jpg\n")
    for again in ("x/cat.jpg", "~/x/cat.jpg", tmp_path / "y/../x/cat.jpg", ["x/cat.jpg"]):
        assert folder_for(tmp_path / "out", "cat", again) == first
    assert folder_for(tmp_path / "out", "cat", "y/cat.jpg").name == "cat-2"
    assert folder_for(tmp_path / "out", "cat", ["x/cat.jpg", "y/cat.jpg"]).name == "cat-3"
    assert folder_for(tmp_path / "out", "cat", "y/cat.jpg").name == "cat-2"
    assert folder_for(tmp_path / "out", "cat", "y/cat.jpg", {"cat-2"}).name == "cat-4"
    assert folder_for(tmp_path / "out", "cat", "x/caf\udce9.png").name == "cat-5"
    assert folder_for(tmp_path / "out", "cat", "x/caf\udce9.png").name == "cat-5"


def test_a_folder_of_an_earlier_version_is_taken_on(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/sheet.png").write_bytes(b"")
    assert folder_for(tmp_path, "cat", "/x/cat.jpg").name == "cat"
    assert folder_for(tmp_path, "cat", "/y/cat.jpg").name == "cat-2"


def test_a_file_can_have_a_note_of_whose_it_is_too(tmp_path):
    names = [name_for("cat", f"/{where}/cat.jpg", lambda one: tmp_path / f"layers-{one}.txt") for where in "xyx"]
    assert names == ["cat", "cat-2", "cat"]
