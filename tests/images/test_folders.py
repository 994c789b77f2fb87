import errno
import os
from pathlib import Path

import pytest

from genviz.errors import UserError
from genviz.images.folders import SUFFIXES, distinct, evenly, find_pictures, halves, tell_copies


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_pictures_are_found_however_nested_and_nothing_else_is(tmp_path):
    names = ["b.JPG", "a/c.png", "a/d/e.webp"]
    hidden = [".hidden.png", "a/.DS_Store", ".Trash-1000/files/b.png", "a/.ipynb_checkpoints/c-checkpoint.png"]
    touch(tmp_path, *names, "notes.txt", "a/d/f.png.part", *hidden)
    found = find_pictures(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found.pictures] == sorted(names)
    assert found.others == [tmp_path / "a/d/f.png.part", tmp_path / "notes.txt"]
    assert len(find_pictures(tmp_path / ".Trash-1000").pictures) == 1  # which was asked for


def test_each_kind_of_picture_is_one_in_any_case(tmp_path):
    names = [f"{number}{suffix}" for number, suffix in enumerate((*SUFFIXES, *(s.upper() for s in SUFFIXES)))]
    touch(tmp_path, *names)
    assert sorted(path.name for path in find_pictures(tmp_path).pictures) == sorted(names)


def test_a_folder_that_looks_like_a_picture_is_none(tmp_path):
    touch(tmp_path, "a.png/b.png")
    assert find_pictures(tmp_path).pictures == [tmp_path / "a.png/b.png"]


def test_their_order_is_by_name_whatever_the_file_system_says(tmp_path):
    names = ["z/a.png", "b.png", "a/z.png", "a.png", "10.png", "9.png"]
    touch(tmp_path, *names)
    assert find_pictures(tmp_path).pictures == sorted(tmp_path / name for name in names)


def test_a_home_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path, "photos/a.png")
    assert find_pictures("~/photos").pictures == [tmp_path / "photos/a.png"]


def test_a_folder_that_is_not_there_or_empty_is_one_line_and_says_the_setting(tmp_path):
    touch(tmp_path, "file.png", "empty/notes.txt")
    for name, says in (
        ("no", "no such folder"),
        ("empty", "no picture in it or its subfolders"),
        ("file.png", "no such folder"),
    ):
        with pytest.raises(UserError, match=f"data.root={tmp_path}/{name}: .*{says}") as caught:
            find_pictures(tmp_path / name)
        assert "\n" not in str(caught.value)
        with pytest.raises(UserError, match=f"^pictures={tmp_path}/{name}: "):
            find_pictures(tmp_path / name, "pictures")


def test_a_folder_that_changes_while_it_is_searched_is_one_line(tmp_path, monkeypatch):
    def gone(folder, pattern):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{folder}/proc/1")

    monkeypatch.setattr(type(tmp_path), "glob", gone)
    with pytest.raises(UserError, match="data.root=.*/proc/1 cannot be read .No such file or directory.; give another"):
        find_pictures(tmp_path)


def test_a_folder_that_cannot_be_read_is_one_line_and_one_below_is_left_out_and_said_once(
    tmp_path, monkeypatch, capsys
):
    touch(tmp_path, "a.png", "closed/b.png", "closed/deeper/c.png")
    closed = {tmp_path / "closed"}
    monkeypatch.setattr(os, "access", lambda path, mode: path not in closed)
    for _ in range(2):
        find_pictures(tmp_path)
    assert capsys.readouterr().err == f"left out: the folder {tmp_path}/closed cannot be read\n"
    with pytest.raises(UserError, match=f"data={tmp_path}/closed: .*closed cannot be read .Permission denied.; give"):
        find_pictures(tmp_path / "closed", "data")


def test_every_second_picture_by_name_is_held_out():
    both = halves([Path(name) for name in ("d", "a", "c", "b", "e")])
    assert ([path.name for path in both.training], [path.name for path in both.held_out]) == (
        ["a", "c", "e"],
        ["b", "d"],
    )
    assert halves([Path("a")]).held_out == []


def test_at_most_so_many_evenly_spaced():
    assert evenly(range(10), 4) == [0, 2, 5, 7]
    assert evenly(range(3), 4) == [0, 1, 2]


def test_a_copy_is_left_out_whatever_its_name(tmp_path, capsys):
    contents = {"a.png": b"one", "a copy.png": b"one", "b.png": b"two", "c.png": b"three", "d.jpg": b"two"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / name for name in contents]
    gone = [tmp_path / "gone.png", tmp_path / "gone too.png"]
    assert [path.name for path in distinct([*paths, *gone])] == ["a.png", "b.png", "c.png", "gone.png", "gone too.png"]
    for count in (0, 1, 2000):
        tell_copies(count)
    said = "left out: a copy of another picture\nleft out: 2,000 copies of other pictures\n"
    assert capsys.readouterr().err == said


def test_only_files_of_one_size_are_read(tmp_path, monkeypatch):
    touch(tmp_path, "a.png")
    (tmp_path / "b.png").write_bytes(b"b")
    monkeypatch.setattr("genviz.images.folders.sha256", lambda path: pytest.fail("read"))
    assert len(distinct([tmp_path / "a.png", tmp_path / "b.png"])) == 2
