import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ROOT
from noisy_pictures import noise
from omegaconf import OmegaConf
from PIL import Image
from user import environment

from genviz.classifiers.from_module import from_module
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright, resize
from genviz.retrieval import features as module
from genviz.retrieval.features import CALLED, FEATURES, Kept, feature_layer, identity_of, look, pooled, see
from genviz.training import build


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for number, name in enumerate(("a.png", "below/b.jpg", "c.png", "d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40 + number, 30), Image.Resampling.BICUBIC).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


@pytest.fixture
def counted(classifier, monkeypatch):
    """The classifier, and which pictures are decoded for it."""
    shown = []
    streamed = module.stream

    def counting(paths, size, at_once):
        shown.extend(path.name for path in paths)
        return streamed(paths, size, at_once)

    monkeypatch.setattr(module, "stream", counting)
    return classifier, shown


KEPT = Kept("relu1")


def test_a_row_is_the_mean_over_the_positions_in_half_precision(classifier, folder, tmp_path, capsys):
    found = look(folder, classifier, KEPT, cache=tmp_path / "seen", at_once=3)
    assert found.names == ["a.png", "below/b.jpg", "c.png", "d.png"]
    assert found.damaged == ["broken.jpg"]
    assert capsys.readouterr().err == f"left out: {folder}/broken.jpg cannot be decoded\n"
    assert found.stored.dtype == np.float16
    assert isinstance(found.stored, np.memmap)
    for name, row, called in zip(found.names, found.matrix(), found.others[CALLED], strict=True):
        seen = classifier(read_upright(folder / name), ["relu1", "scores"])
        np.testing.assert_array_equal(row, seen["relu1"][0].mean((1, 2)).half().float().numpy())
        assert called == seen["scores"][0].argmax()


def test_the_file_is_one_that_numpy_reads(classifier, folder, tmp_path):
    found = look(folder, classifier, KEPT, cache=tmp_path / "seen")
    (file,) = (tmp_path / "seen").glob(f"*/{FEATURES}.npy")
    np.testing.assert_array_equal(np.load(file, mmap_mode="r")[found.rows], found.matrix())


def test_each_picture_is_looked_at_once_and_what_is_new_is_added(counted, folder, tmp_path):
    classifier, shown = counted
    look(folder, classifier, KEPT, cache=tmp_path / "seen")
    look(folder, classifier, KEPT, cache=tmp_path / "seen")
    assert sorted(shown) == ["a.png", "b.jpg", "broken.jpg", "broken.jpg", "c.png", "d.png"]
    shown.clear()
    os.utime(folder / "c.png", (1, 1))
    (folder / "d.png").unlink()
    (folder / "broken.jpg").unlink()
    noise((30, 30), 50).convert("RGB").save(folder / "aa.png")
    last = look(folder, classifier, KEPT, cache=tmp_path / "seen")
    assert sorted(shown) == ["aa.png", "c.png"]
    fresh = look(folder, classifier, KEPT)
    assert last.names == fresh.names == ["a.png", "aa.png", "below/b.jpg", "c.png"]
    np.testing.assert_array_equal(last.matrix(), fresh.matrix())
    assert last.rows.tolist() != fresh.rows.tolist()


def test_a_folder_inside_another_is_known_with_it(counted, folder, tmp_path):
    classifier, shown = counted
    look(folder, classifier, KEPT, cache=tmp_path / "seen")
    shown.clear()
    assert look(folder / "below", classifier, KEPT, cache=tmp_path / "seen").names == ["b.jpg"]
    assert shown == []


def test_a_pattern_is_a_folder_too(classifier, folder):
    found = look(f"{folder}/**/b*.jpg", classifier, KEPT)
    assert (found.root, found.names, found.damaged) == (folder, ["below/b.jpg"], ["broken.jpg"])


def test_another_layer_pooling_or_network_has_a_store_of_its_own(counted, folder, tmp_path):
    classifier, shown = counted
    widths = []
    for kept in (KEPT, Kept("conv1"), Kept("relu1", "none"), Kept("scores")):
        widths.append(look(folder, classifier, kept, cache=tmp_path / "seen").stored.shape)
    classifier.weights_sha256 = "1" * 64
    widths.append(look(folder, classifier, KEPT, cache=tmp_path / "seen").stored.shape)
    assert widths == [(4, 4), (4, 4), (4, 400), (4, 6), (4, 4)]
    assert len(shown) == 5 * 5


def test_how_many_are_seen_at_once_and_which_changes_no_digit(tmp_path):
    """Which a network's own last digits may, so that a batch is always full."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    classifier = from_module(network, input_size=24)
    images = torch.rand(7, 3, 24, 24)
    kept = Kept("1", kind="float32")
    whole = see(classifier, images, kept, 8)[FEATURES]
    for number in range(7):
        np.testing.assert_array_equal(see(classifier, images[[number]], kept, 8)[FEATURES][0], whole[number])


def test_a_value_past_half_precision_is_its_largest(classifier, folder):
    classifier.conv.weight.mul_(1e6)
    found = look(folder, classifier, Kept("conv1")).matrix()
    assert np.isfinite(found).all()
    assert np.abs(found).max() == np.finfo(np.float16).max


def test_what_is_not_finite_is_told_with_its_picture(classifier, folder):
    classifier.conv.weight.fill_(float("nan"))
    found = look(folder, classifier, KEPT)
    with pytest.raises(UserError, match=r"the features of a\.png are not finite; choose another layer"):
        found.matrix()


def test_chunks_are_the_whole(classifier, folder, tmp_path):
    look(folder / "below", classifier, KEPT, cache=tmp_path / "seen")  # so that the rows are in another order
    found = look(folder, classifier, KEPT, cache=tmp_path / "seen")
    parts = list(found.chunks(3))
    assert [first for first, _ in parts] == [0, 3]
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), found.stored[found.rows])


def test_chunks_of_wide_features_are_few_pictures(classifier, folder, monkeypatch):
    found = look(folder, classifier, KEPT)
    monkeypatch.setattr(module, "_NUMBERS", 2 * found.stored.shape[1])
    assert [len(part) for _, part in found.chunks()][:2] == [2, 2]


def test_a_name_need_not_be_utf8(classifier, folder, tmp_path, capsys):
    path = os.fsencode(folder) + b"/caf\xe9.png"
    with open(path, "wb") as file:
        Image.new("RGB", (9, 9)).save(file, "PNG")
    with open(os.fsencode(folder) + b"/\xe9.png", "wb") as file:
        file.write(b"nothing")
    for _ in range(2):
        assert len(look(folder, classifier, KEPT, cache=tmp_path / "seen").names) == 5
    assert "\\udce9.png cannot be decoded" in capsys.readouterr().err


@pytest.mark.parametrize("made", [None, b"no picture"])
def test_a_folder_without_a_sound_picture_is_told(classifier, tmp_path, made):
    if made is None:
        with pytest.raises(UserError, match="data=.*nowhere: there is no such folder"):
            look(tmp_path / "nowhere", classifier, KEPT)
        return
    (tmp_path / "a.png").write_bytes(made)
    with pytest.raises(UserError, match="none of its 1 pictures can be decoded"):
        look(tmp_path, classifier, KEPT)


def test_the_features_are_what_the_class_head_weighs(classifier):
    small = SmallClassifier(weights="random", input_size=32)
    layer = feature_layer(small.outline)
    assert layer == feature_layer(small.outline, layer) == "fc8.input"
    image = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(small(image, [layer])[layer], small(image, ["relu5_2"])["relu5_2"])
    assert feature_layer(small.outline, "RELU3_1") == "relu3_1"
    with pytest.raises(UserError, match="no layer is called 'relu9'.*without a name it is fc8.input"):
        feature_layer(small.outline, "relu9")
    assert feature_layer(classifier.outline) == "relu1"


def test_features_are_the_mean_of_the_positions_or_all_of_them():
    activation = torch.rand(2, 3, 4, 5)
    torch.testing.assert_close(pooled(activation), activation.mean((2, 3)))
    assert pooled(activation, "none").shape == (2, 60)
    assert pooled(activation[..., 0, 0]).shape == (2, 3)


def test_an_identity_is_the_weights_and_all_that_changes_what_is_seen():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    made = [from_module(network, input_size=12), from_module(network, input_size=12)]
    made += [from_module(network, input_size=13), from_module(network, input_size=12, mean=(0, 0, 0))]
    made += [from_module(network, input_size=12, resize=False)]
    names = [identity_of(classifier) for classifier in made]
    assert names[0] == names[1]
    assert len(set(names)) == 4


def test_the_settings_of_a_network_are_part_of_its_identity():
    """With the same weights, it may see something else."""
    words = {"_target_": "genviz.classifiers.built.BuiltClassifier", "builder": "linear_network:scaled"}
    words |= {"weights": "random", "input_size": 8, "labels": ["first", "second", "third"]}

    def name(**changed):
        return identity_of(build.classifier(OmegaConf.create(words | changed)))

    assert name() == name() == name(labels=["a", "b", "c"])
    names = {
        name(),
        name(arguments={"factor": 2.0}),
        name(arguments={"factor": -1.0}),
        name(builder="linear_network:network"),
    }
    assert len(names) == 4


SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from conftest import TinyClassifier
from genviz.retrieval import features, store
store._SOON = 0
add = store.Store.add
def slowly(self, keys, values):
    add(self, keys, values)
    print(len(self.places), flush=True)
    time.sleep(0.05)
store.Store.add = slowly
features.look({folder!r}, TinyClassifier(), features.Kept("relu1"), cache=Path({cache!r}), at_once=2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("rows", [2, 9])
def test_what_a_killed_process_has_seen_is_kept(counted, tmp_path, rows):
    classifier, shown = counted
    (tmp_path / "photos").mkdir()
    for number in range(20):
        noise = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"photos/{number:02}.png")
    names = {"tests": str(ROOT / "tests"), "folder": str(tmp_path / "photos"), "cache": str(tmp_path / "seen")}
    program = [sys.executable, "-c", SLOW.format(**names)]
    begun = subprocess.Popen(program, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    while int(begun.stdout.readline()) < rows:
        pass
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    (file,) = (tmp_path / "seen").glob(f"*/{FEATURES}.npy")
    with file.open("ab") as torn:
        torn.write(b"\x01\x02\x03")
    begun = time.monotonic()
    found = look(tmp_path / "photos", classifier, KEPT, cache=tmp_path / "seen", at_once=2)
    assert time.monotonic() - begun < 60
    assert 0 < len(shown) <= 20 - rows
    fresh = look(tmp_path / "photos", classifier, KEPT, at_once=2)
    assert found.names == fresh.names
    np.testing.assert_array_equal(found.matrix(), fresh.matrix())


def test_a_picture_elsewhere_has_the_very_features_of_its_copy_in_the_folder(classifier, folder):
    found = look(folder, classifier, KEPT)
    image = resize(read_upright(folder / "c.png"), classifier.outline.input_size)
    np.testing.assert_array_equal(see(classifier, image, KEPT)[FEATURES][0], found.stored[found.rows[2]])
