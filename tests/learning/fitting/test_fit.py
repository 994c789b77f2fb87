"""What genviz fit makes of a few small pictures."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from user import SECONDS, environment, slow_after

from genviz.classifiers.fitted import FittedClassifier
from genviz.interfaces import SCORES
from genviz.learning.data import Damaged
from genviz.learning.fitting import fit as program
from genviz.learning.fitting import sources
from genviz.learning.fitting.labelled import Labelled, Pictures
from genviz.training.checkpoint import read_checkpoint

TINY = [
    "network=vonc", "batch=8", "epochs=3", "data.hold_out=0.25", "optimizer.lr=0.002", "trainer.accelerator=cpu",
    "logger=none", "name=tiny",
]  # fmt: skip
WEIGHTS = "outputs/fit/tiny/tiny.safetensors"


def colours(folder, count=32):
    """Red and blue pictures with noise, which are easy to tell."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 90, (count, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    images[labels == 0, :, :, 0] += 150
    images[labels == 1, :, :, 2] += 150
    np.savez(folder / "colours.npz", images=images, labels=labels, classes=np.array(["red", "blue"]))
    return folder / "colours.npz"


@pytest.fixture
def fit(called, tmp_path):
    path = colours(tmp_path)
    return lambda *words: called("fit", f"data.root={path}", *TINY, *words)


def test_a_network_with_its_labels_and_its_numbers(fit, tmp_path, called):
    done = fit()
    assert done.returncode == 0, done.stderr
    assert "vonc, 768,194 parameters" in done.stdout
    assert "24 pictures of 2 classes to train on, 8 held out\n9 updates of 8 pictures, 3 epochs\n" in done.stdout
    result = json.loads((tmp_path / "outputs/fit/tiny/result.json").read_text())
    rows = list(csv.DictReader((tmp_path / "outputs/fit/tiny/epochs.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    classifier = FittedClassifier(weights=str(tmp_path / WEIGHTS))
    assert classifier.outline.labels == ("red", "blue")
    held_out = sources.read(str(tmp_path / "colours.npz")).held_out(0.25, 0).validation
    images = torch.from_numpy(held_out.pictures).permute(0, 3, 1, 2).float() / 255
    right = (classifier(images, [SCORES])[SCORES].argmax(1) == held_out.labels).float().mean().item()
    assert result["accuracy"]["validation"] == round(right, 4) == 1.0  # the file's, on whole pictures
    table = list(csv.reader((tmp_path / "outputs/fit/tiny/confusion.csv").open()))
    assert table[0] == ["true class", "red", "blue"]
    assert sum(int(row[1 + n]) for n, row in enumerate(table[1:])) == 8
    again = fit()
    assert "tiny is done, 9 updates" in again.stdout
    seen = called("train", "target=class:red", "classifier=fitted", f"classifier.weights={tmp_path / WEIGHTS}",
                  "updates=2", "logger=none", "generator=pixels", "transform=none")  # fmt: skip
    assert seen.returncode == 0, seen.stderr


def test_the_same_seed_gives_the_same_weights_and_more_epochs_go_on(fit, tmp_path):
    """With a constant rate the fourth epoch is the same, whether it was asked for at first or later."""
    words = ["lr_end=1", "keep=last"]
    assert fit(*words, "epochs=2").returncode == 0
    first = load_file(tmp_path / WEIGHTS)
    done = fit(*words, "epochs=3")
    assert "continuing after update 6 of 9" in done.stdout
    longer = load_file(tmp_path / WEIGHTS)
    assert fit(*words, "epochs=3", "name=whole").returncode == 0
    whole = load_file(tmp_path / "outputs/fit/whole/whole.safetensors")
    assert all(torch.equal(longer[name], whole[name]) for name in whole)
    assert any(not torch.equal(longer[name], first[name]) for name in whole)
    lines = (tmp_path / "outputs/fit/tiny/epochs.csv").read_text()
    assert lines == (tmp_path / "outputs/fit/whole/epochs.csv").read_text()


def test_the_papers_schedule(fit, tmp_path):
    """1,000 classes, stretched pictures, the end once the training loss no longer falls, and nothing left to do."""
    done = fit("schedule=reda_xu2018", "network=conv", "epochs=30", "stop.by=5", "batch=24")
    assert done.returncode == 0, done.stderr
    assert "conv, 3,410,184 parameters" in done.stdout
    result = json.loads((tmp_path / "outputs/fit/tiny/result.json").read_text())
    assert result["ended_early"] is True
    assert result["updates"] == 4  # the first counts as an improvement, and then there are three without
    assert set(result["accuracy"]) == {"validation", "validation, augmented"}
    assert read_checkpoint(tmp_path / "checkpoints/fit/tiny/last.ckpt")["global_step"] == 4
    assert "tiny is done" in fit("schedule=reda_xu2018", "network=conv", "epochs=30", "stop.by=5", "batch=24").stdout
    rates = read_checkpoint(tmp_path / "checkpoints/fit/tiny/last.ckpt")["optimizer_states"][0]["param_groups"]
    assert rates[0]["lr"] == pytest.approx(0.002 / (1 + 4e-6), rel=1e-9)


def test_other_settings_are_not_continued(fit):
    fit("epochs=1")
    done = fit("epochs=1", "batch=6")
    assert done.returncode == 2
    assert "batch was 8 and is 6" in done.stderr
    assert fit("epochs=1", "batch=6", "resume=false").returncode == 0


@pytest.mark.parametrize(("words", "told"), [
    (["classes=1"], "the pictures have 2 classes"),
    (["classes=1000000000"], "100,000 at most"),
    (["network=torchvision", "network.architecture=resnet81"], "nearest"),
    (["input_size=8"], "too small"),
    (["normalize=hard"], "normalize=hard must be standardize or stretch"),
    (["augmentation.shift=2"], "augmentation.shift=2 must be a number from 0 to 1"),
    (["epochs=0"], "epochs=0 must be a whole number"),
    (["optimizer.lr=fast"], "optimizer"),
    (["data.hold_out=0.001"], "too few to hold out"),
    (["network.architecture=null"], "say which network"),
])  # fmt: skip
def test_what_cannot_work_is_one_line(fit, tmp_path, words, told):
    done = fit(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "outputs").exists()


def test_it_says_which_number_is_which_class_if_their_names_are_numbers(fit, tmp_path):
    with np.load(tmp_path / "colours.npz") as file:
        np.savez(tmp_path / "numbers.npz", images=file["images"], labels=file["labels"], classes=np.array(["1", "10"]))
    done = fit("epochs=1", f"data.root={tmp_path / 'numbers.npz'}")
    assert "class:0 is 1, class:1 is 10\n" in done.stdout


def photos(folder, count=12, damaged=()):
    """Pictures of two classes in files, of which some are damaged."""
    draw = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"photos/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
        if number in damaged:
            path.write_bytes(b"no picture")
    return folder / "photos"


def test_batches_of_damaged_pictures_alone_are_nothing(called, tmp_path):
    root = photos(tmp_path, damaged=range(0, 12, 2))
    words = [*TINY, f"data.root={root}", "batch=1", "epochs=2", "augmentation.rotation=10", "data.hold_out=0.4"]
    done = called("fit", *words)
    assert done.returncode == 0, done.stderr
    losses = [float(row["loss"]) for row in csv.DictReader((tmp_path / "outputs/fit/tiny/metrics.csv").open())]
    assert len(losses) == 2 * 7
    assert any(loss == 0 for loss in losses)
    assert any(loss > 0 for loss in losses)


@pytest.mark.parametrize("part", ["val", "test"])
def test_damaged_pictures_held_out_are_one_line_before_any_training(called, tmp_path, part):
    root = photos(tmp_path)
    for name in ("train", "val", "test"):
        shutil.copytree(root, tmp_path / "parts" / name)
    for path in (tmp_path / "parts" / part).rglob("*.png"):
        path.write_bytes(b"no picture")
    done = called("fit", *TINY, f"data.root={tmp_path}/parts")
    what = {"val": "held out", "test": "to test on"}[part]
    assert done.stderr == f"genviz fit: data.root={tmp_path}/parts: none of its 12 pictures {what} can be decoded\n"
    assert done.returncode == 2
    assert not (tmp_path / "outputs").exists()


def test_mean_and_deviation_are_found_a_few_pictures_at_a_time(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (75, 5, 6, 3), dtype=np.uint8)
    labelled = Labelled(images, torch.zeros(75, dtype=torch.long))
    pictures = Pictures(labelled, (5, 6), memory=0, damaged=Damaged([]))
    most, original = [], Pictures.__getitem__
    monkeypatch.setattr(Pictures, "__getitem__", lambda self, few: most.append(len(few)) or original(self, few))
    mean, deviation = program._mean_and_deviation(pictures)
    assert max(most) <= 32
    values = torch.from_numpy(images).double() / 255
    torch.testing.assert_close(mean, values.mean((0, 1, 2)), rtol=1e-12, atol=0)
    torch.testing.assert_close(deviation, values.std((0, 1, 2)), rtol=1e-12, atol=0)


def test_no_data_is_one_line(called):
    done = called("fit")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "say where the labelled pictures are: data.root=" in done.stderr


@pytest.mark.slow
def test_a_killed_training_goes_on_as_if_nothing_had_been(tmp_path):
    path = colours(tmp_path)
    (tmp_path / "program.py").write_text("from genviz.commands.main import main\nmain()\n")
    line = [sys.executable, str(tmp_path / "program.py"), "fit", f"data.root={path}", *TINY]
    words = ["checkpoint_every=2", "epochs=4"]
    subprocess.run([*line, *words, "name=whole"], cwd=tmp_path, env=environment(), check=True, capture_output=True)
    for which, rows in ((signal.SIGKILL, 5), (signal.SIGTERM, 1)):
        metrics, end = tmp_path / "outputs/fit/tiny/metrics.csv", time.monotonic() + SECONDS
        metrics.rename(tmp_path / "before.csv") if metrics.exists() else None
        process = subprocess.Popen(
            slow_after(5, [*line, *words]), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
        )
        while not (metrics.exists() and len(metrics.read_text().splitlines()) > rows) and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(which)
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == (-which if which is signal.SIGKILL else 128 + which)
        assert ("continuing after update" in said) is (which is signal.SIGTERM)
    last = subprocess.run([*line, *words], cwd=tmp_path, env=environment(), check=True, capture_output=True, text=True)
    assert "continuing after update" in last.stdout
    one, other = load_file(tmp_path / WEIGHTS), load_file(tmp_path / "outputs/fit/whole/whole.safetensors")
    assert all(torch.equal(one[name], other[name]) for name in one)
    rows = [(tmp_path / f"outputs/fit/{name}/epochs.csv").read_text() for name in ("tiny", "whole")]
    assert rows[0] == rows[1]


def test_what_ended_early_is_not_trained_further(fit, tmp_path):
    """Where the program was killed after the last update, and before the file was there."""
    words = ["schedule=reda_xu2018", "network=vonc", "epochs=30", "stop.by=5", "batch=24"]
    assert fit(*words).returncode == 0
    weights, result = load_file(tmp_path / WEIGHTS), tmp_path / "outputs/fit/tiny/result.json"
    told = json.loads(result.read_text())
    result.unlink()
    (tmp_path / WEIGHTS).unlink()
    done = fit(*words)
    assert done.returncode == 0, done.stderr
    again = load_file(tmp_path / WEIGHTS)
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    made = json.loads(result.read_text())
    assert (made["updates"], made["ended_early"], made["accuracy"]) == (told["updates"], True, told["accuracy"])
