import io
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.learning.fitting import sources
from genviz.learning.fitting.confusion import Confusion


def picture(folder, name, colour=(200, 10, 10)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)


def made(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


IMAGES, LABELS = np.zeros((6, 8, 8, 3), np.uint8), np.array([0, 1, 2, 0, 1, 2])


def test_a_folder_with_a_subfolder_for_each_class(tmp_path):
    for name in ("dogs/a.png", "dogs/deeper/b.png", "cats/c.png", "birds/d.png", ".hidden/e.png"):
        picture(tmp_path, name)
    source = sources.read(str(tmp_path))
    assert source.classes == ("birds", "cats", "dogs")
    assert [path.name for path in source.training.pictures] == ["d.png", "c.png", "a.png", "b.png"]
    assert source.training.labels.tolist() == [0, 1, 2, 2]
    assert source.validation is None


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_names_that_are_not_utf8_are_readable(tmp_path):
    root = tmp_path / os.fsdecode(b"ph\xff")
    for part in ("train", "val"):
        for name in ("a", os.fsdecode(b"b\xff")):
            picture(root, f"{part}/{name}/0.png")
    source = sources.read(str(root))
    assert source.classes == ("a", "b\\udcff")
    assert source.name == "ph\\udcff"
    assert source.training.labels.tolist() == source.validation.labels.tolist() == [0, 1]
    assert len(sources.digest(source)) == 16
    paths = Confusion(torch.eye(2, 3).long(), source.classes).write(tmp_path / "written")
    assert paths[0].read_text().startswith("true class,a,b\\udcff\n")


def test_train_val_and_test(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for number in range(count):
            for name in ("a", "b"):
                picture(tmp_path, f"{part}/{name}/{number}.png")
    source = sources.read(str(tmp_path)).held_out(0.5, 0)
    assert [len(part.labels) for part in source[1:4]] == [6, 4, 2]
    picture(tmp_path, "val/c/0.png")
    with pytest.raises(UserError, match="has a class c that"):
        sources.read(str(tmp_path))


def test_arrays(tmp_path):
    source = sources.read(made(tmp_path / "a.npz", images=IMAGES, labels=LABELS, classes=np.array(["x", "y", "z"])))
    assert (source.classes, len(source.training.labels)) == (("x", "y", "z"), 6)
    parts = {f"{part}_images": IMAGES for part in ("train", "val", "test")}
    parts |= {f"{part}_labels": LABELS[:, None] for part in ("train", "val", "test")}  # MedMNIST's form
    source = sources.read(made(tmp_path / "b.npz", **parts))
    assert source.classes == ("0", "1", "2")
    assert source.test.labels.tolist() == LABELS.tolist()
    grey = sources.read(made(tmp_path / "c.npz", images=IMAGES[..., 0], labels=LABELS))
    assert grey.training.pictures.shape == (6, 8, 8, 3)
    one = sources.read(made(tmp_path / "d.npz", images=IMAGES[..., :1], labels=LABELS))
    np.testing.assert_array_equal(one.training.pictures, grey.training.pictures)


def test_files_in_an_array(tmp_path):
    """JPEG or PNG files one after the other, with the places where they begin and end."""
    files, colours = [], [(10, 20, 30), (200, 100, 50)]
    for colour in colours:
        file = io.BytesIO()
        Image.new("RGB", (4, 4), colour).save(file, format="PNG")
        files.append(file.getvalue())
    offsets = np.cumsum([0, *map(len, files)])
    blob = np.frombuffer(b"".join(files), np.uint8)
    path = made(tmp_path / "a.npz", train_jpeg=blob, train_offsets=offsets, train_y=np.array([1, 0]))
    source = sources.read(path)
    assert source.training.pictures[:, 0, 0].tolist() == [list(colour) for colour in colours]
    path = made(tmp_path / "b.npz", train_jpeg=blob, train_offsets=offsets // 2, train_y=np.array([1, 0]))
    with pytest.raises(UserError, match="picture 0 cannot be decoded"):
        sources.read(path)


def test_a_share_is_held_out_at_random():
    training = sources.Labelled(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), torch.arange(100))
    source = sources.Source("made up", training, None, None, ("a", "b"))
    one, same, other = source.held_out(0.3, 0), source.held_out(0.3, 0), source.held_out(0.3, 1)
    assert len(one.validation.labels) == 30
    assert sorted([*one.training.labels.tolist(), *one.validation.labels.tolist()]) == list(range(100))
    assert one.training.pictures[:, 0, 0, 0].tolist() == one.training.labels.tolist()
    assert torch.equal(one.validation.labels, same.validation.labels)
    assert not torch.equal(one.validation.labels, other.validation.labels)
    with pytest.raises(UserError, match="too few"):
        sources.Source("one", training.subset(torch.tensor([0])), None, None, ("a", "b")).held_out(0.3, 0)


@pytest.mark.parametrize(("arrays", "told"), [
    ({"labels": LABELS}, "neither images and labels"),
    ({"images": IMAGES}, "has images but no labels"),
    ({"images": IMAGES, "labels": LABELS[:5]}, "labels must be 6 whole numbers"),
    ({"images": IMAGES, "labels": LABELS / 2}, "labels must be 6 whole numbers"),
    ({"images": IMAGES, "labels": LABELS - 1}, r"from 0 up, .*, from -1 up"),
    ({"images": IMAGES, "labels": LABELS * 10**9}, "a label 2000000000, but labels are from 0 to 99,999"),
    ({"images": IMAGES.astype(float), "labels": LABELS}, "must be bytes"),
    ({"images": IMAGES, "labels": LABELS, "classes": np.array(["a", "b"])}, "a label 2, but names only 2 classes"),
    ({"images": IMAGES, "labels": 0 * LABELS}, "has one class, 0"),
    ({"images": IMAGES, "labels": np.array([{}] * 6, object)}, "cannot be read"),
])  # fmt: skip
def test_arrays_that_do_not_fit_are_one_line(tmp_path, arrays, told):
    with pytest.raises(UserError, match=told):
        sources.read(made(tmp_path / "a.npz", **arrays))


def test_folders_that_do_not_fit_are_one_line(tmp_path):
    with pytest.raises(UserError, match="has no class"):
        sources.read(str(tmp_path))
    picture(tmp_path, "cats/a.png")
    with pytest.raises(UserError, match="has one class, cats"):
        sources.read(str(tmp_path))
    (tmp_path / "dogs").mkdir()
    with pytest.raises(UserError, match="dogs"):
        sources.read(str(tmp_path))
    with pytest.raises(UserError, match="no such folder or .npz file"):
        sources.read(str(tmp_path / "none"))
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(UserError, match="cannot be read"):
        sources.read(str(tmp_path / "bad.npz"))


def test_a_damaged_file_of_arrays_is_one_line(tmp_path):
    """Whichever bytes are wrong: zlib, zipfile and numpy each have errors of their own."""
    images = np.random.default_rng(0).integers(0, 64, (20, 8, 8, 3), dtype=np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=images, labels=np.arange(20) % 2)
    whole, told = (tmp_path / "a.npz").read_bytes(), set()
    for place in range(0, len(whole), 7):
        (tmp_path / "a.npz").write_bytes(whole[:place] + b"\xff" * 5 + whole[place + 5 :])
        try:
            sources.read(str(tmp_path / "a.npz"))
        except UserError as error:
            told.add(type(error.__cause__).__name__)
    assert {"error", "BadZipFile"} <= told  # zlib's is called error


def test_cifar10_is_torchvisions(tmp_path, monkeypatch):
    class Cifar:
        classes = ("airplane", "cat")

        def __init__(self, root, train, download):
            assert not download
            self.data, self.targets = IMAGES[: 4 if train else 2], LABELS[: 4 if train else 2].clip(max=1).tolist()

    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UserError, match="CIFAR-10|cifar10 is not available"):
        sources.read(str(tmp_path))
    monkeypatch.setattr(sources.torchvision.datasets, "CIFAR10", Cifar)
    source = sources.read(str(tmp_path))
    assert (len(source.training.labels), len(source.test.labels), source.classes) == (4, 2, ("airplane", "cat"))


def test_a_digest_tells_other_pictures_and_labels(tmp_path):
    one = sources.read(made(tmp_path / "a.npz", images=IMAGES, labels=LABELS))
    other = sources.read(made(tmp_path / "b.npz", images=IMAGES + 1, labels=LABELS))
    relabelled = sources.read(made(tmp_path / "c.npz", images=IMAGES, labels=LABELS[::-1]))
    assert len({sources.digest(source) for source in (one, other, relabelled)}) == 3


def test_arrays_may_be_in_fortrans_order(tmp_path):
    parts = {"train_images": IMAGES, "train_labels": LABELS, "val_labels": LABELS}
    ours, theirs = (
        sources.read(made(tmp_path / "a.npz", **parts, val_images=order(IMAGES)))
        for order in (np.ascontiguousarray, np.asfortranarray)
    )
    assert sources.digest(ours) == sources.digest(theirs)


def test_a_digest_tells_pictures_that_were_replaced(tmp_path):
    found = []
    for side in (40, 60):
        for name in ("a", "b"):
            (tmp_path / name).mkdir(exist_ok=True)
            for number in range(3):
                Image.new("RGB", (side, side)).save(tmp_path / name / f"{number}.png")
        found.append(sources.digest(sources.read(str(tmp_path))))
    assert found[0] != found[1]
