"""python distill.py, as a user runs it."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image
from user import SECONDS, environment

from genviz.classifiers.embedded import EmbeddedClassifier, read_facts

WORDS = [
    "teacher=squeezenet1_1", "teacher.weights=random", "teacher.input_size=64", "distillation.size=32",
    "student.widths=[[4],[8],[8,8],[8,8],[8,8]]", "student.input_size=48", "updates=6", "batch=4", "validate_every=3",
    "checkpoint_every=2", "data.workers=0", "data.hold_out=4", "trainer.accelerator=cpu", "name=mine",
]  # fmt: skip


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for number in range(12):
        Image.fromarray(draw.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


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


def test_it_ends_in_a_file_that_is_a_classifier_and_its_numbers(finished):
    folder, done = finished
    outputs = folder / "outputs/distill/mine"
    weights = outputs / "mine.safetensors"
    assert read_facts(weights).input_size == 48
    classifier = EmbeddedClassifier(weights=str(weights))
    result = json.loads((outputs / "result.json").read_text())
    assert classifier.weights_sha256 == result["sha256"]
    assert set(result["agreement"]) == {f"{photos}/{kind}" for photos in result["data"] for kind in (
        "top1", "top5", "correlation")}  # fmt: skip
    assert result["updates"] == 6
    assert "agreement with random on the pictures held out" in done.stdout
    assert f"classifier.weights={weights.relative_to(folder)}" in done.stdout


def test_it_shows_what_it_does(finished):
    folder, done = finished
    assert "6/6" in done.stderr
    assert "explained/maps" in done.stderr
    rows = (folder / "outputs/distill/mine/metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 6
    assert list((folder / "outputs/distill/mine/wandb").glob("offline-run-*/*.wandb"))


def test_killed_and_started_again_it_ends_in_the_same_weights(finished, photos, tmp_path):
    whole = (finished[0] / "outputs/distill/mine/mine.safetensors").read_bytes()
    process = subprocess.Popen(
        command(photos, "logger=none"), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    checkpoint = tmp_path / "checkpoints/distill/mine/last.ckpt"
    deadline = time.monotonic() + SECONDS
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "outputs/distill/mine/mine.safetensors").exists()
    again = distill(tmp_path, photos, "logger=none")
    assert "going on after update" in again.stdout
    assert (tmp_path / "outputs/distill/mine/mine.safetensors").read_bytes() != b""
    assert state(tmp_path / "outputs/distill/mine/mine.safetensors") == state(
        finished[0] / "outputs/distill/mine/mine.safetensors"
    )
    assert whole


def state(path):
    from safetensors.torch import load_file

    return {name: value.tolist() for name, value in load_file(path).items()}


def test_other_settings_do_not_continue_it(finished, photos):
    folder, _ = finished
    done = distill(folder, photos, "distillation.temperature=4", "logger=none")
    assert done.returncode == 2
    assert "distillation.temperature was 2.0 and is 4" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data.root=/nowhere"], "no such folder"),
        (["data.root=[]"], "data.root=FOLDER"),
        (["updates=0"], "whole number from 1"),
        (["data.hold_out=1"], "whole number from 2"),
        (["name=a/b"], "no name for a folder"),
        (["distillation.hints={relu9_9: fire4}"], "relu9_9"),
        (["distillation.hints={relu3_2: nothing}"], "nothing"),
        (["student.widths=[[4],[0]]"], "widths"),
        (["teacher=resnet18"], "class maps"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, photos, words, says):
    done = distill(tmp_path, photos, "logger=none", *words)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert says in lines[0]
    assert not list(tmp_path.iterdir())
