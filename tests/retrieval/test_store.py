import json
import os
import threading

import numpy as np
import pytest

from genviz.errors import CannotWriteError
from genviz.retrieval import store as module
from genviz.retrieval.store import Column, Key, Store, key_of, rows_of

COLUMNS = {"features": Column(3, "float16"), "called": Column(1, "int32")}


def keys(*numbers):
    return [Key(f"/photos/{number}.png", number, 10**18 + number) for number in numbers]


def values(*numbers):
    return {"features": np.array([[n, n / 2, -n] for n in numbers]), "called": np.array([[n] for n in numbers])}


def filled(folder, *numbers):
    with Store(folder, COLUMNS) as store:
        store.add(keys(*numbers), values(*numbers))
    return folder


def read(folder):
    """Each known file's number, as both columns have it."""
    with Store(folder, COLUMNS) as store:
        features, called = store.column("features"), store.column("called")
        assert features.shape == (len(store.places), 3)
        assert features[:, 0].tolist() == called[:, 0].tolist()
        assert [key.size for key in store.places] == called[:, 0].tolist()
        return called[:, 0].tolist()


def test_rows_are_appended_and_found(tmp_path):
    assert read(tmp_path / "new") == []
    filled(tmp_path, 1, 2)
    filled(tmp_path, 3)
    with Store(tmp_path, COLUMNS) as store:
        assert rows_of(store.places, keys(3, 1)).tolist() == [2, 0]
        mapped = store.column("features")
        store.add(keys(4), values(4))
        store.flush()
        assert store.column("features")[3].tolist() == [4, 2, -4]
    assert mapped.tolist() == [[1, 0.5, -1], [2, 1, -2], [3, 1.5, -3]]  # after it was closed
    for name, (width, kind) in COLUMNS.items():
        plain = np.load(tmp_path / f"{name}.npy")
        assert (plain.shape, plain.dtype) == ((4, width), kind)


@pytest.mark.parametrize("file", ["features.npy", "called.npy", "files.jsonl"])
@pytest.mark.parametrize("more", [b"\x01", b"\x00" * 6, b'["/photos/9.png",9', b"\x00" * 1000])
def test_a_torn_tail_is_cut(tmp_path, file, more):
    filled(tmp_path, 1, 2, 3)
    with (tmp_path / file).open("ab") as torn:
        torn.write(more)
    assert read(tmp_path) == [1, 2, 3]
    filled(tmp_path, 4)
    assert read(tmp_path) == [1, 2, 3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["features.npy", "called.npy", "files.jsonl"])
def test_wherever_a_file_is_cut_off_the_rows_before_are_kept(tmp_path, file):
    whole = (filled(tmp_path / "whole", 1, 2, 3) / file).read_bytes()
    for length in range(len(whole)):
        folder = filled(tmp_path / str(length), 1, 2, 3)
        (folder / file).write_bytes(whole[:length])
        found = read(folder)
        assert found == [1, 2, 3][: len(found)]
        assert len(found) < 3
        filled(folder, *[number for number in (1, 2, 3) if number not in found])
        assert read(folder) == [1, 2, 3]


@pytest.mark.parametrize("file", ["features.npy", "called.npy", "files.jsonl"])
@pytest.mark.parametrize("content", [None, b"", b"nothing of the kind\n" * 30, "of another width", "a folder"])
def test_a_file_that_is_none_begins_the_store_anew(tmp_path, file, content):
    filled(tmp_path, 1, 2, 3)
    (tmp_path / file).unlink()
    if content == "of another width":
        np.save(tmp_path / "other.npy", np.zeros((3, 7), np.float16))
        (tmp_path / "other.npy").rename(tmp_path / file)
    elif content == "a folder":
        (tmp_path / file).mkdir()
    elif content is not None:
        (tmp_path / file).write_bytes(content)
    assert read(tmp_path) == []
    filled(tmp_path, 5)
    assert read(tmp_path) == [5]


@pytest.mark.parametrize("line", ["[]", "7", '["a",1,2.5]', '["a",1]', '[1,1,1]', "{}", "\xff"])  # fmt: skip
def test_a_line_that_is_none_ends_the_index(tmp_path, line):
    filled(tmp_path, 1, 2, 3)
    lines = (tmp_path / "files.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "files.jsonl").write_bytes(lines[0] + line.encode("latin-1") + b"\n" + lines[2])
    assert read(tmp_path) == [1]


def test_rows_whose_files_were_not_noted_are_forgotten(tmp_path, monkeypatch):
    """As after a kill between the two writes."""
    filled(tmp_path, 1)
    index = (tmp_path / "files.jsonl").read_bytes()
    filled(tmp_path, 2, 3)
    (tmp_path / "files.jsonl").write_bytes(index)
    assert read(tmp_path) == [1]
    assert len(np.load(tmp_path / "features.npy")) == 1


def test_what_was_added_before_an_interrupt_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt), Store(tmp_path, COLUMNS) as store:
        store.add(keys(1), values(1))
        raise KeyboardInterrupt
    assert read(tmp_path) == [1]


def test_a_second_process_waits_for_the_first(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "_AGAIN", 0.01)
    told = threading.Event()
    monkeypatch.setattr(module.tqdm, "write", lambda line, file: told.set())
    with Store(tmp_path, COLUMNS) as store:
        second = threading.Thread(target=filled, args=(tmp_path, 2))
        second.start()
        assert told.wait(10)
        store.add(keys(1), values(1))
    second.join(10)
    assert read(tmp_path) == [1, 2]


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWriteError, match="cannot write"), Store(tmp_path / "file/seen", COLUMNS):
        pass


def test_a_full_disk_is_told_and_loses_nothing_that_was_written(tmp_path, monkeypatch):
    filled(tmp_path, 1)
    real = module._to_disk

    def full(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotWriteError, match=r"No space left.*free some space"), Store(tmp_path, COLUMNS) as store:
        monkeypatch.setattr(module, "_to_disk", full)
        store.add(keys(2), values(2))
        store.flush()
    monkeypatch.setattr(module, "_to_disk", real)
    assert read(tmp_path) == [1]


def test_a_file_is_its_place_size_and_time(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"12345")
    os.utime(path, ns=(1, 7))
    assert key_of(path) == (str(path), 5, 7)
    monkeypatch.chdir(tmp_path)
    assert key_of(type(path)("a.png")) == key_of(path)
    assert json.loads(json.dumps(key_of(path))) == [str(path), 5, 7]
