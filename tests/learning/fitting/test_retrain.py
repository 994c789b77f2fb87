"""genviz retrain, on a network of 768,000 numbers and a few pictures."""

import csv
import json
import shlex

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.classifiers.fitted import Facts, export
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.stretched import Stretched
from genviz.images.video import frames
from genviz.learning.fitting import retrain as module

FOLDER = "outputs/retrain/fitted-made/class-blue"
WORDS = [
    "target=class:blue", "pictures=photos", "classifier=fitted", "classifier.weights=made.safetensors", "repeat=8",
    "epochs=2", "batch=4", "drawing.updates=2", "drawing.experiment=reda_xu2018", "trainer.accelerator=cpu",
    "logger=none", "optimizer.lr=0.001",
]  # fmt: skip


@pytest.fixture
def retrain(called, tmp_path):
    torch.manual_seed(0)
    facts = Facts("vonc", ("red", "blue", "green"), (32, 32), Stretched(mean=(0.4, 0.4, 0.4)))
    export(build("vonc", 3, (32, 32)), tmp_path / "made.safetensors", facts, told={})
    draw = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for number in range(5):
        pixels = draw.integers(0, 255, (40, 36, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{number}.png")
    return lambda *words: called("retrain", *WORDS, *words)


def rows(tmp_path):
    return list(csv.DictReader((tmp_path / FOLDER / "runs.csv").open()))


def test_a_class_before_after_and_at_each_epoch(retrain, tmp_path):
    done = retrain()
    assert done.returncode == 0, done.stderr
    assert "class:blue, 1 run on 5 pictures, 2 epochs at most\n" in done.stdout
    (row,) = rows(tmp_path)
    assert (float(row["accuracy_after"]), row["updates"]) == (1.0, "4")
    assert float(row["activation_after"]) > float(row["activation_before"])
    run = tmp_path / FOLDER / "run-00"
    assert sorted(path.name for path in (run / "epochs").iterdir()) == [
        "epoch-0000.png", "epoch-0001.png", "epoch-0002.png", "evolution.mp4", "pictures.csv",
    ]  # fmt: skip
    assert (run / "epochs/epoch-0000.png").read_bytes() == (run / "before.png").read_bytes()
    assert (run / "epochs/epoch-0002.png").read_bytes() == (run / "after.png").read_bytes()
    assert (run / "before.png").read_bytes() != (run / "after.png").read_bytes()
    assert frames(run / "epochs/evolution.mp4") == 15
    measures = [row["measure"] for row in csv.DictReader((run / "epochs/pictures.csv").open())]
    assert measures[2].startswith("validation/accuracy ")
    assert not list((tmp_path / "checkpoints").rglob("*.ckpt"))


def test_runs_are_done_once_and_differ(retrain, tmp_path):
    """Interrupted between two runs, it goes on with the next."""
    assert retrain("runs=1", "every=null").returncode == 0
    first = (tmp_path / FOLDER / "run-00/after.png").stat().st_mtime_ns
    done = retrain("runs=3", "every=null")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / FOLDER / "run-00/after.png").stat().st_mtime_ns == first
    found = rows(tmp_path)
    assert [row["run"] for row in found] == ["0", "1", "2"]
    assert len({row["activation_after"] for row in found}) == 3
    assert len({row["activation_before"] for row in found}) == 3
    again = retrain("runs=3", "every=null", "resume=false")
    assert again.returncode == 0
    assert rows(tmp_path) == found  # the same seeds give the same numbers


def test_the_same_folder_spelled_otherwise_holds_the_same_pictures(retrain, tmp_path):
    assert retrain("every=null").returncode == 0
    done = retrain("every=null", f"pictures={tmp_path}/photos")
    assert done.returncode == 0, done.stderr
    Image.new("RGB", (40, 36)).save(tmp_path / "photos/more.png")
    assert "the pictures was 5, sha256" in retrain("every=null").stderr
    (tmp_path / "photos/more.png").unlink()
    assert retrain("every=null").returncode == 0
    Image.new("RGB", (97, 53), "red").save(next((tmp_path / "photos").iterdir()))  # others of the same names
    assert "the pictures was 5, sha256" in retrain("every=null").stderr


def test_damaged_pictures(retrain, tmp_path):
    """A batch of these alone teaches nothing; where there are no others, there is nothing to learn."""
    files = sorted((tmp_path / "photos").iterdir())
    for path in files[1:]:
        path.write_bytes(b"no picture")
    done = retrain("every=null", "batch=1", "repeat=40", "augmentation.rotation=5")
    assert done.returncode == 0, done.stderr
    files[0].write_bytes(b"no picture")
    done = retrain("every=null", "resume=false")
    told = "genviz retrain: pictures=photos: none of its 6 pictures to train on can be decoded\n"
    assert (done.returncode, done.stderr) == (2, told)
    assert not (tmp_path / "outputs/retrain/fitted-made/class-blue~1").exists()


def test_other_settings_are_not_mixed(retrain, tmp_path):
    assert retrain("every=null").returncode == 0
    done = retrain("every=null", "epochs=1")
    assert done.returncode == 2
    assert "epochs was 2 and is 1" in done.stderr
    assert retrain("every=null", "epochs=1", "tag=short").returncode == 0
    assert (tmp_path / "outputs/retrain/fitted-made-short").is_dir()
    result = tmp_path / FOLDER / "run-00/result.json"
    result.write_text(json.dumps({"run": 0}))
    done = retrain("every=null")
    assert done.returncode == 0
    assert "is damaged" in done.stderr
    told = json.loads(result.read_text())
    result.write_text(json.dumps({name: value for name, value in told.items() if name != "rank_before"}))
    assert "is damaged" in retrain("every=null").stderr
    picture = tmp_path / FOLDER / "run-00/before.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:100])
    assert retrain("every=null").returncode == 0
    assert picture.read_bytes() == whole


def test_drawing_does_not_change_what_is_learned(retrain, tmp_path):
    assert retrain("every=1").returncode == 0
    watched = (tmp_path / FOLDER / "run-00/metrics.csv").read_text()
    assert retrain("every=null", "resume=false").returncode == 0
    assert (tmp_path / FOLDER / "run-00/metrics.csv").read_text() == watched


@pytest.mark.parametrize(("words", "told"), [
    (["target=class:red+blue"], "one class"),
    (["target=class:violet"], "violet"),
    (["pictures=none"], "no such folder"),
    (["repeat=1"], "too few to hold out"),
    (["runs=0"], "runs=0 must be"),
    (["every=0"], "every=0 must be"),
    (["drawing.experiment=none"], "none"),
    (["classifier.weights=none.safetensors"], "no weights file"),
])  # fmt: skip
def test_what_cannot_work_is_one_line(retrain, words, told):
    done = retrain(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_from_the_first_training_to_the_pictures_it_resembles(called, tmp_path):
    """Fit, retrain, trace: each takes what the one before has left."""
    draw = np.random.default_rng(1)
    images, labels = draw.integers(0, 255, (24, 32, 32, 3), dtype=np.uint8), np.arange(24) % 2
    np.savez(tmp_path / "data.npz", images=images, labels=labels, classes=np.array(["cat", "dog"]))
    (tmp_path / "cats").mkdir()
    for number, pixels in enumerate(images[:12:2]):
        Image.fromarray(pixels).resize((100, 100)).save(tmp_path / f"cats/{number}.png")
    quick = ["trainer.accelerator=cpu", "logger=none"]
    done = called("fit", "data.root=data.npz", "network=vonc", "epochs=1", *quick)
    assert done.returncode == 0, done.stderr
    fitted = ["classifier=fitted", "classifier.weights=outputs/fit/vonc/vonc.safetensors"]
    words = ["target=class:cat", "pictures=cats", "loop=reda_xu2018", "runs=2", "epochs=2", *fitted, *quick]
    done = called("retrain", *words)
    assert done.returncode == 0, done.stderr
    (told,) = [line for line in done.stdout.splitlines() if "genviz trace" in line]
    command = shlex.split(told.partition("genviz ")[2])
    done = called(*command, "method=sift", "size=100", "noise=2", *quick)
    assert done.returncode == 0, done.stderr
    assert "p-values" in done.stdout
    assert list((tmp_path / "outputs/trace").rglob("contributions.csv"))


def test_a_run_that_was_killed_while_it_drew_is_not_trained_further(retrain, tmp_path, monkeypatch):
    """Its checkpoint is whole, and its second picture is not there."""
    words = ["every=null", "epochs=6", "stop.patience=1", "stop.by=100"]
    assert retrain(*words).returncode == 0
    (row,) = rows(tmp_path)
    assert row["updates"] == "4"  # the end of the second epoch
    again = ["tag=again", *words]
    real = module.judge
    monkeypatch.setattr(module, "judge", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
    assert retrain(*again).returncode == 130
    monkeypatch.setattr(module, "judge", real)
    assert retrain(*again).returncode == 0
    with (tmp_path / FOLDER.replace("made/", "made-again/") / "runs.csv").open() as file:
        assert list(csv.DictReader(file)) == [row]


def test_a_network_with_one_score_is_refused(called, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos/a.png")
    words = ["target=class:0", "pictures=photos", "classifier=module", "classifier.builder=linear_network:alone",
             "classifier.weights=random", "classifier.input_size=8", "classifier.labels=[cat]",
             "logger=none"]  # fmt: skip
    done = called("retrain", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the network has a single class; genviz retrain takes one that tells several apart" in done.stderr
