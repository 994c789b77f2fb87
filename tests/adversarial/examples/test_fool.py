import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment
from zebras import QUICK, WORDS, levels, results, zebras

from genviz.adversarial.examples import fool
from genviz.classifiers.frozen import FrozenClassifier
from genviz.training import build


@pytest.fixture
def photos(tmp_path):
    return zebras(tmp_path / "photos")


@pytest.mark.parametrize(
    ("epsilon", "norm", "most"), [("8/255", "linf", 8), ("0.007", "linf", 1), ("0.031", "linf", 7), ("0.8", "l2", None)]
)
def test_no_written_picture_is_farther_than_epsilon(called, photos, tmp_path, epsilon, norm, most):
    done = called("fool", "image=photos", f"epsilon={epsilon}", f"norm={norm}", *QUICK, *WORDS)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("broken.jpg cannot be decoded") == 1
    (folder,) = (tmp_path / "outputs/fool/small").glob("*/away")
    told = results(folder)["pictures"]
    assert len(told) == 5
    for name, own in told.items():
        change = levels(folder / name / "fooled.png") - levels(folder / name / "original.png")
        length = np.linalg.norm(change / 255)
        if most is None:
            assert 0 < length <= float(epsilon) + 1e-9
        else:
            assert 0 < np.abs(change).max() <= most
        assert own["levels"] == np.abs(change).max()
        assert own["length"] == pytest.approx(length, rel=1e-4)
        assert Image.open(folder / name / "fooled.png").size == (64, 64)


def test_what_is_reported_is_of_the_file(called, photos, tmp_path):
    from genviz.classifiers.small import SmallClassifier
    from genviz.images.pictures import read_image

    done = called("fool", f"image={photos}/0_zebra.png", "target=class:zebra", "other=small",
                  "other.input_size=32", *QUICK, *WORDS)  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/class-zebra"
    (own,) = results(folder)["pictures"].values()
    for size, said in ((64, own["after"][0]), (32, own["other"][1])):
        scores = SmallClassifier(input_size=size)(read_image(folder / "0_zebra/fooled.png"), ["scores"])["scores"][0]
        assert said["number"] == int(scores.argmax())
        assert said["probability"] == pytest.approx(float(scores.softmax(0).max()), rel=1e-4)
    with (folder / "fooled.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["success"] == str(own["after"][0]["label"] == "zebra")
    assert row["another after"] == own["other"][1]["label"]
    assert (folder / "sheet.png").is_file()
    assert "0_zebra: " in done.stdout


@pytest.mark.slow
def test_what_the_network_has_wrong_or_says_already_is_left_alone(called, photos, tmp_path):
    done = called("fool", "image=photos", *QUICK, *WORDS)
    says = {name: own["before"][0] for name, own in results(tmp_path / "outputs/fool/small/pgd-linf-8-over-255/away")[
        "pictures"].items()}  # fmt: skip
    first = says["0_zebra"]
    (photos / "broken.jpg").unlink()
    for name, said in says.items():
        (photos / f"{name}.png").rename(photos / f"{name[0]}_{said['number'] if name != '1_zebra' else 7}.png")
    done = called("fool", "image=photos", "truth=file", "epsilon=4/255", *QUICK, *WORDS)
    assert done.returncode == 0, done.stderr
    told = results(tmp_path / "outputs/fool/small/pgd-linf-4-over-255/away")
    assert [name[0] for name in told["left_alone"]] == ["1"]
    assert len(told["pictures"]) == 4
    assert "left alone  1," in done.stdout
    done = called("fool", "image=photos", f"target=class:{first['number']}", *QUICK, *WORDS)
    assert any(name[0] == "0" for name in results(next((tmp_path / "outputs/fool/small/pgd-linf-8-over-255").glob(
        "class-*")))["left_alone"])  # fmt: skip
    alone = next(photos.glob("0_*"))
    done = called("fool", f"image={alone}", f"target=class:{first['number']}", *QUICK, *WORDS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"nothing to attack: the network says {first['label']} already" in done.stderr


@pytest.mark.slow
def test_each_picture_may_have_a_class_of_its_own(called, photos, tmp_path):
    done = called("fool", "image=photos", "target=Random", *QUICK, *WORDS)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/random"
    targets = {name: own["target"] for name, own in results(folder)["pictures"].items()}
    assert len(set(targets.values())) == 5
    called("fool", f"image={photos}", "target=random", "at_once=5", "steps=3", "paths.outputs=o", *WORDS)
    (again,) = (tmp_path / "o").rglob("results.json")
    assert {name: own["target"] for name, own in json.loads(again.read_text())["pictures"].items()} == targets


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_deepfool_is_made_fit_for_8_bits(called, photos, tmp_path, norm):
    done = called("fool", "image=photos", "method=deepfool", f"norm={norm}", "at_once=5", *WORDS)
    assert done.returncode == 0, done.stderr
    told = results(next((tmp_path / "outputs/fool/small").glob(f"deepfool-{norm}-*/away")))["pictures"]
    assert all(own["success"] for own in told.values())
    for own in told.values():
        assert own["epsilon"] > 0
        assert own["length"] < 5


def test_the_smallest_epsilon_is_found(called, photos, tmp_path):
    done = called("fool", f"image={photos}/0_zebra.png", "epsilon=min", "method=fgsm", *WORDS)
    assert done.returncode == 0, done.stderr
    (own,) = results(tmp_path / "outputs/fool/small/fgsm-linf-min/away")["pictures"].values()
    found = round(255 * own["epsilon"])
    assert own["success"] is (found < 64 or own["after"][0] != own["before"][0])
    if found > 1:
        done = called("fool", f"image={photos}/0_zebra.png", f"epsilon={found - 1}/255", "method=fgsm", *WORDS)
        (less,) = results(tmp_path / f"outputs/fool/small/fgsm-linf-{found - 1}-over-255/away")["pictures"].values()
        assert not less["success"]


def test_the_sheets_of_a_longer_call_do_not_stay(called, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(fool, "_ROWS", 2)
    words = ["method=fgsm", *WORDS]
    assert called("fool", "image=photos", *words).returncode == 0
    folder = tmp_path / "outputs/fool/small/fgsm-linf-8-over-255/away"
    assert {path.name for path in folder.glob("sheet*.png")} == {"sheet.png", "sheet-2.png", "sheet-3.png"}
    assert called("fool", "image=photos/0_zebra.png", *words).returncode == 0
    assert [path.name for path in folder.glob("sheet*.png")] == ["sheet.png"]


def test_a_picture_is_seen_once_before_in_each_step_and_once_as_written(called, photos, monkeypatch):
    seen, plain = [], FrozenClassifier.forward

    def counted(classifier, images, layers):
        seen.append(len(images))
        return plain(classifier, images, layers)

    monkeypatch.setattr(FrozenClassifier, "forward", counted)
    called("fool", "image=photos", *QUICK, *WORDS)
    noise = 1  # a picture by which the scores' ending is found
    assert sum(seen) - noise == 5 * (1 + 3 + 1)


HELD = """
import time
from pathlib import Path
from genviz.adversarial.examples.attacker import Attacker
keep = Attacker._keep
def held(self, picture, facts):
    while picture.name.startswith("2_") and not Path("sent").exists():
        Path("waits").touch()
        time.sleep(0.01)
    keep(self, picture, facts)
Attacker._keep = held
"""
"""A program that waits before it keeps the third outcome, until the signal is there."""


@pytest.mark.slow
@pytest.mark.parametrize("which", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.campaign)])
def test_a_killed_run_goes_on(photos, tmp_path, which):
    program = "from genviz.commands.main import main; main()"
    words = ["fool", "image=photos", "steps=3", "at_once=1", *WORDS]
    command = [sys.executable, "-c", program, *words]
    process = subprocess.Popen(
        [sys.executable, "-c", HELD + program, *words],
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    folder = tmp_path / "outputs/fool/small/pgd-linf-8-over-255/away"
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not (tmp_path / "waits").exists():
        time.sleep(0.05)
    process.send_signal(which)
    (tmp_path / "sent").touch()
    process.communicate(timeout=SECONDS)
    assert process.returncode == (128 + which if which == signal.SIGTERM else -which)
    done = [path for path in folder.rglob("fooled.png") if (path.parent / "outcome.json").exists()]
    assert len(done) == (3 if which == signal.SIGTERM else 2)
    times = {path: path.stat().st_mtime_ns for path in done}
    again = subprocess.run(
        command, cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, timeout=SECONDS
    )
    assert again.returncode == 0, again.stderr
    assert len(results(folder)["pictures"]) == 5
    assert {path: path.stat().st_mtime_ns for path in done} == times


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_curve_falls(called, photos, tmp_path, norm):
    done = called("fool", "image=photos", "--sweep", f"norm={norm}", *QUICK, *WORDS)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / f"outputs/fool/small/pgd-{norm}-sweep/away"
    with (folder / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    shares = [float(row["accuracy"]) for row in rows]
    assert shares[0] == 1
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 1  # or an attack that changes nothing would pass
    assert [float(row["epsilon"]) for row in rows] == sorted(float(row["epsilon"]) for row in rows)
    assert all(float(row["low"]) <= float(row["accuracy"]) <= float(row["high"]) for row in rows)
    assert Image.open(folder / "curve.png").width > 500
    assert done.stdout.count("epsilon") == len(rows) - 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["image=none.png"], "no such file"),
        (["image=empty"], "no picture in it"),
        (["epsilon=-1"], "epsilon=-1 must be a number above 0, at most 1, such as 8/255, or min"),
        (["epsilon=2"], "epsilon=2 must be a number above 0, at most 1"),
        (["epsilon=8/0"], "epsilon=8/0 must be"),
        (["epsilon=null"], "epsilon=null must be"),
        (["epsilon=0", "norm=l2"], "epsilon=0 must be a number above 0, such as"),
        (["norm=1"], "norm=1 must be linf or l2"),
        (["method=pdg"], "did you mean pgd"),
        (["method=deepfool", "target=class:zebra"], "no target, no sweep"),
        (["other=auto"], "other=auto depends on the machine"),
        (["steps=0"], "steps=0 must be a whole number"),
        (["step=0"], "step=0 must be a number above 0"),
        (["target=class:zebrra"], "zebra"),
        (["target=layer:relu3_1"], "a layer can only be pushed away"),
        (["target=filter:relu3_1:top2:zebra"], "name the filters by numbers"),
        (["targets=class:all"], "all pictures have one target"),
        (["truth=folder"], "truth=folder: 0_zebra.png: no class is called"),
        (["truth=nothing"], "truth=nothing must be folder, file or null"),
        (["target=filter:relu3_1:2", "--sweep"], "accuracy is of classes"),
        (["images=2"], "images=2: one picture is generated"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(called, photos, tmp_path, monkeypatch, words, says):
    (tmp_path / "empty").mkdir()
    if "--sweep" not in words:
        monkeypatch.setattr(build, "classifier", lambda settings: pytest.fail("loaded"))
    given = [] if any(word.startswith("image=") for word in words) else [f"image={photos}/0_zebra.png"]
    done = called("fool", *given, *words, *WORDS)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr


@pytest.mark.slow
def test_it_is_a_use_of_the_shared_layer(called, photos, tmp_path):
    """The same attack by genviz train, with its checkpoint, video and verdict."""
    image = f"image={photos}/0_zebra.png"
    words = [
        "objective=log_probability",
        "generator=perturbation",
        "optimizer=steepest",
        "optimizer.lr=0.02",
        "lr_end=1",
    ]
    done = called(
        "train", "target=class:zebra", image, *words, "regularizer=none", "transform=none", "updates=3", *WORDS
    )
    assert done.returncode == 0, done.stderr
    made = next(Path(tmp_path / "outputs").rglob("final.png"))
    called("fool", image, "target=class:zebra", "method=bim", "steps=3", "step=0.02", *WORDS)
    fooled = tmp_path / "outputs/fool/small/bim-linf-8-over-255/class-zebra/0_zebra/fooled.png"
    assert (levels(made) == levels(fooled)).all()
