import errno
import hashlib
import os

import pytest

from genviz.errors import UserError
from genviz.files import (
    atomic_write,
    clear_leftovers,
    facts_in,
    load_torch_file,
    metadata_of,
    prepare_folder,
    read_json,
    set_aside,
    sha256,
    write_text,
)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]


def test_it_can_be_read_by_others_as_any_file(tmp_path):
    (tmp_path / "usual").write_text("")
    write_text(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_where_no_file_can_be_one_line_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        write_text(tmp_path / "file" / "below", "")


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_text("old")
    with pytest.raises(UserError, match="No space left on device; free some space"), atomic_write(path) as file:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_setting_aside_never_overwrites(tmp_path):
    assert set_aside(tmp_path / "none") is None
    for content in ("first", "second"):
        (tmp_path / "last.ckpt").write_text(content)
        set_aside(tmp_path / "last.ckpt")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "last.ckpt~1": "first",
        "last.ckpt~2": "second",
    }


def test_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 10**6)
    assert sha256(tmp_path / "f") == hashlib.sha256(b"abc" * 10**6).hexdigest()


def test_what_is_in_the_place_of_a_file_is_kept(tmp_path, capsys):
    (tmp_path / "index.html").mkdir()
    (tmp_path / "index.html" / "mine.txt").write_text("mine")
    write_text(tmp_path / "index.html", "the page")
    assert (tmp_path / "index.html").read_text() == "the page"
    assert (tmp_path / "index.html~1" / "mine.txt").read_text() == "mine"
    assert "is kept as index.html~1" in capsys.readouterr().err


@pytest.mark.parametrize("read", [sha256, read_json, load_torch_file])
def test_a_pipe_is_not_waited_for(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((OSError, ValueError), match="not a file"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize("content", [None, "", "{", "[" * 100_000, "\ud800"])
def test_what_is_no_json_is_one_kind_of_error(tmp_path, content):
    if content is not None:
        (tmp_path / "result.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match="."):
        read_json(tmp_path / "result.json")


def test_what_a_killed_write_left_is_cleared_and_nothing_else(tmp_path):
    for name in (".a.pt.x1.unfinished", ".a.pt.x2.unfinished", ".b.pt.x1.unfinished", "a.pt"):
        (tmp_path / name).touch()
    clear_leftovers(tmp_path / "a.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.pt.x1.unfinished", "a.pt"]


def test_what_is_being_written_is_not_cleared(tmp_path):
    (tmp_path / ".b.pt.x1.unfinished").touch()
    with atomic_write(tmp_path / "a.pt") as file:
        prepare_folder(tmp_path)  # as another process does
        clear_leftovers(tmp_path / "a.pt")
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]
    assert (tmp_path / "a.pt").read_bytes() == b"whole"


def test_writing_never_changes_what_other_threads_may_write(tmp_path, monkeypatch):
    """The umask is the process's: set for a moment by one of several writers, it could stay so."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was set"))
    write_text(tmp_path / "file", "")


def test_facts_are_kept_under_one_key_and_those_of_earlier_files_are_read():
    facts = {"format": "genviz.made.1", "widths": [[4]], "more": {"a": None}}
    assert len(metadata_of(facts)) == 1
    assert facts_in(metadata_of(facts)) == facts
    assert facts_in({"format": "genviz.made.1", "widths": "[[4]]"}) == {
        "format": "genviz.made.1",
        "widths": "[[4]]",
    }
    assert facts_in(None) == {}
