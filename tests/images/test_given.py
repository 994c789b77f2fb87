import os

import pytest
import torch
from noisy_pictures import noise

from genviz.errors import UserError
from genviz.images.given import decoded, folder_for, given_pictures, name_for, named, readable


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    for number, name in enumerate(("b.png", "a.jpg", "below/a.png")):
        noise((20, 10), 50, number).convert("RGB").save(tmp_path / name)
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
    [("none.png", "no such file"), ("~nobody-of-this-name/a.png", "no such file"),
     (["~nobody-of-this-name"], "no such"), (["a.jpg", "none.png"], "no such file"),
     ("c.png", "cannot read the picture"), (3, "image=3 must be a picture"),
     ([""], "must be a picture"), ("empty", "no picture in it")],
)  # fmt: skip
def test_what_is_none_is_one_line(folder, monkeypatch, given, says):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=says):
        given_pictures(given)


def test_names_are_unlike_and_those_of_folders(folder):
    files = [folder / "a.jpg", folder / "below/a.png", folder / "x y/é?.png", folder / "x y" / ("long" * 99)]
    assert named(files) == ["a", "a-1", "é-", ("long" * 99)[:80]]


def test_names_fit_into_a_file_system_and_stay_unlike(folder):
    long = [folder / f"{n}/{'山' * 80}.png" for n in range(3)]
    names = named([*long, folder / "a-1.png", folder / "x/a.png", folder / "y/a.png"])
    assert names[3:] == ["a-1", "a", "a-2"]
    assert len(set(names)) == 6
    assert max(len(name.encode()) for name in names) <= 130


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


def test_an_empty_note_belongs_to_nobody(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat/source.txt").write_bytes(b"")  # by a full disk
    assert folder_for(tmp_path, "cat", "/x/cat.jpg").name == "cat"
    assert folder_for(tmp_path, "cat", "/y/cat.jpg").name == "cat-2"
    assert (tmp_path / "cat/source.txt").read_text() == "/x/cat.jpg\n"


def test_a_note_is_never_seen_half_written_and_one_process_has_it(tmp_path, monkeypatch):
    def link(whole, note, link=os.link):
        folder_for(tmp_path, "cat", "/y/cat.jpg") if "/x/" in whole.read_text() else None  # another process is first
        link(whole, note)

    monkeypatch.setattr(os, "link", link)
    assert folder_for(tmp_path, "cat", "/x/cat.jpg").name == "cat-2"
    assert (tmp_path / "cat/source.txt").read_text() == "/y/cat.jpg\n"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["source.txt", "source.txt"]


def test_a_note_needs_no_hard_links(tmp_path, monkeypatch):
    def link(whole, note):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert [folder_for(tmp_path, "cat", f"/{where}/cat.jpg").name for where in "xyx"] == ["cat", "cat-2", "cat"]
