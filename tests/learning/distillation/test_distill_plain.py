"""python distill.py, as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment, slow_after

from genviz.classifiers.fitted import Facts, export
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.small import SmallClassifier, read_facts

WORDS = [
    "teacher=squeezenet1_1", "teacher.weights=random", "teacher.input_size=64", "distillation.size=32",
    "student.widths=[[4],[8],[8,8],[8,8],[8,8]]", "student.input_size=48", "updates=6", "batch=4", "validate_every=3",
    "checkpoint_every=2", "data.workers=0", "data.hold_out=4", "trainer.accelerator=cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(draw.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    for name in ("1x.jpg", "broken.jpg"):  # one held out, one to train on
        (folder / name).write_bytes(b"no picture")
    return folder


WEIGHTS = "outputs/distill/student/student.safetensors"


def command(photos, *words):
    return [sys.executable, str(ROOT / "distill.py"), f"data.root={photos}", *WORDS, *words]


def distill(folder, photos, *words):
    done = subprocess.run(
        command(photos, *words), cwd=folder, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("finished")
    done = distill(folder, photos, "logger=wandb")
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.slow
def test_it_ends_in_a_file_that_is_a_classifier_and_its_numbers(finished):
    folder, done = finished
    outputs = folder / "outputs/distill/student"
    weights = outputs / "student.safetensors"
    assert read_facts(weights).input_size == 48
    classifier = SmallClassifier(weights=str(weights))
    result = json.loads((outputs / "result.json").read_text())
    assert classifier.weights_sha256 == result["sha256"]
    assert set(result["agreement"]) == {f"{photos}/{kind}" for photos in result["data"] for kind in (
        "top1", "top5", "correlation")}  # fmt: skip
    assert result["updates"] == 6
    assert "agreement of the file with random, on the held-out pictures" in done.stdout
    assert f"classifier.weights={weights.relative_to(folder)}" in done.stdout


def test_a_teacher_with_classes_of_its_own_and_a_distillation_that_is_done(called, tmp_path, photos):
    facts = Facts("squeezenet1_1", ("red", "blue", "green"), (64, 64), InputSpace())
    export(build("squeezenet1_1", 3, (64, 64)), tmp_path / "made.safetensors", facts, told={})
    words = [word for word in command(photos, "updates=1", "logger=none")[2:] if not word.startswith("teacher")]
    words += ["teacher=fitted", "teacher.weights=made.safetensors", "teacher.input_size=64"]
    done = called("distill", *words)
    assert done.returncode == 0, done.stderr
    told = f"classifier.weights={WEIGHTS} classifier.labels=outputs/distill/student/labels.json"
    assert f"to use:  target=class:0 classifier=small {told}\n" in done.stdout
    given = {"weights": str(tmp_path / WEIGHTS), "labels": str(tmp_path / "outputs/distill/student/labels.json")}
    assert SmallClassifier(**given).outline.labels == facts.labels
    whole = (tmp_path / WEIGHTS).read_bytes()
    again = called("distill", *words)
    assert f"student is done, 1 updates: {WEIGHTS} (resume=false starts over)\n" in again.stdout
    assert "agreement" not in again.stdout
    assert (tmp_path / WEIGHTS).read_bytes() == whole
    (tmp_path / WEIGHTS).unlink()
    assert called("distill", *words).returncode == 0
    assert (tmp_path / WEIGHTS).exists()


@pytest.mark.slow
def test_it_shows_what_it_does(finished):
    folder, done = finished
    assert "6/6" in done.stderr
    assert "explained/maps" in done.stderr
    rows = (folder / "outputs/distill/student/metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 6
    (logged,) = (folder / "outputs/distill/student/wandb").glob("offline-run-*/*.wandb")
    name = next(iter(json.loads((folder / "outputs/distill/student/result.json").read_text())["data"]))
    assert f"{name}/top5".encode() in logged.read_bytes()
    assert f"update 3: {name}/" in done.stderr
    assert done.stderr.count("broken.jpg cannot be decoded") == 1  # held out, and looked at three times


def wait_for(process, path):
    deadline = time.monotonic() + SECONDS
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def start(folder, photos, *words, slow=None):
    given = command(photos, "logger=none", *words)
    return subprocess.Popen(
        given if slow is None else slow_after(slow, given),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.campaign
def test_killed_and_started_again_it_ends_in_the_same_weights(finished, photos, tmp_path):
    """Also where a checkpoint and a validation fall on one update; the undisturbed run validates elsewhere."""
    process = start(tmp_path, photos, "validate_every=2", slow=2)
    wait_for(process, tmp_path / "checkpoints/distill/student/last.ckpt")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    again = distill(tmp_path, photos, "validate_every=2", "logger=none")
    assert again.returncode == 0, again.stderr
    assert "continuing after update" in again.stdout
    assert state(tmp_path / WEIGHTS) == state(finished[0] / WEIGHTS)


@pytest.mark.slow
def test_a_signal_to_the_whole_group_saves_and_ends_it(photos, tmp_path):
    process = start(tmp_path, photos, "data.workers=1", "updates=3000", "checkpoint_every=3000")
    wait_for(process, tmp_path / "outputs/distill/student/metrics.csv")
    os.killpg(process.pid, signal.SIGTERM)
    said, failed = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, failed
    assert "Traceback" not in failed
    assert "SIGTERM after update" in said
    assert (tmp_path / "checkpoints/distill/student/last.ckpt").exists()


def state(path):
    from safetensors.torch import load_file

    return {name: value.tolist() for name, value in load_file(path).items()}


@pytest.mark.slow
def test_other_settings_do_not_continue_it(finished, photos):
    """In a process of its own, as a user starts it; what else is one line is below, in this one."""
    folder, _ = finished
    done = distill(folder, photos, "distillation.temperature=4", "logger=none")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "distillation.temperature was 2.0 and is 4" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data.root=/nowhere"], "no such folder"),
        (["data.root=[]"], "data.root=FOLDER"),
        (["updates=0"], "whole number from 1"),
        (["data.hold_out=1"], "whole number from 2"),
        (["name=a/b"], "must be a folder name"),
        (["distillation.hints={relu9_9: fire4}"], "relu9_9"),
        (["distillation.hints={relu3_2: nothing}"], "nothing"),
        (["student.widths=[[4],[0]]"], "widths"),
        (["teacher=resnet18"], "class maps"),
        (["data.root=2020"], "data.root=2020: there is no such folder"),
        (["data.shares=[1,2]"], "shares"),
        (["data.area=[0.8,0.5]"], "the smallest and the largest share of a picture's area, above 0"),
        (["distillation.mix=a"], "distillation.mix=a must be a number"),
        (["data.memory=much"], "data.memory"),
        (["data.hold_out=1000"], "too few"),
        (["distillation.size=8"], "too small"),
        (["student.input_size=8"], "too small"),
        (["trainer.devices=2"], "one process"),
        (["name=.."], "must be a folder name"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(called, tmp_path, photos, words, says):
    done = called("distill", *command(photos, "logger=none", *words)[2:])
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert says in lines[0]
    assert not list(tmp_path.iterdir())
