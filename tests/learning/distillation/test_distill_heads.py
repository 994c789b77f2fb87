"""python distill.py student=heads, as a user runs it."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from user import SECONDS, environment, slow_after
from user_heads import FILE, OUTPUTS, command, distill, make_photos

from genviz.classifiers.fitted import Facts, export
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.headed import HeadedClassifier
from genviz.classifiers.heads import HeadsFile
from genviz.classifiers.input_space import InputSpace


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"))


def start(folder, given):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(given, cwd=folder, env=environment(), text=True, start_new_session=True, **pipes)


def held_before(number, given):
    """The command of a program that waits before it writes this file of a bank."""
    code = f"""
import runpy, sys, time
from genviz.learning.distillation.bank import Bank
write = Bank.write
Bank.write = lambda self, number, lesson: time.sleep({SECONDS} * (number == {number})) or write(self, number, lesson)
sys.argv = {given[1:]!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    return [sys.executable, "-c", code]


def kill_at(process, there):
    deadline = time.monotonic() + SECONDS
    while not there() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def chunks(folder):
    """The files of the bank of crops, which has several."""
    banks = [path for path in (folder / "checkpoints/banks").glob("*") if path.is_dir()]
    return max((sorted(bank.glob("[0-9]*.safetensors")) for bank in banks), key=len, default=[])


def same(one, other):
    first, second = load_file(one), load_file(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("finished")
    done = distill(folder, photos)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.slow
def test_it_ends_in_a_file_of_heads_and_what_was_measured_on_it(finished, photos):
    folder, done = finished
    known = HeadsFile.read(folder / FILE)
    assert [shape.hidden for shape in known.shapes] == [5, 4, 6, None]
    assert (known.architecture, known.layers, known.input_size) == ("squeezenet1_1", ("fire9",), 48)
    result = json.loads((folder / OUTPUTS / "result.json").read_text())
    (data,) = result["data"]
    students = ("mean", "head1", "head2", "head3", "head4")
    kinds = ("top1", "top5", "correlation")
    assert set(result["agreement"]) == {f"{data}/{student}/{kind}" for student in students for kind in kinds}
    assert known.facts == {key: value for key, value in result.items() if key not in ("weights", "sha256")}
    assert (known.facts["teacher"], known.facts["updates"], known.facts["crops"]) == ("squeezenet1_1 (random)", 6, 250)
    assert f"classifier=embedded classifier.heads={FILE} classifier.weights=random" in done.stdout
    classifier = HeadedClassifier(heads=str(folder / FILE), weights="random")
    assert classifier(torch.rand(1, 3, 48, 48), ["scores"])["scores"].shape == (1, 1000)
    assert "4 heads distilled from squeezenet1_1 (random)" in classifier.weights_source


def test_a_teacher_with_classes_of_its_own(called, tmp_path, photos):
    facts = Facts("vonc", ("red", "blue", "green"), (48, 48), InputSpace())
    export(build("vonc", 3, (48, 48)), tmp_path / "made.safetensors", facts, told={})
    words = [word for word in command(photos)[2:] if not word.startswith(("teacher", "student.heads", "data.crops"))]
    words += ["teacher=fitted", "teacher.weights=made.safetensors", "teacher.input_size=48", "student.heads=[{}]"]
    words += ["data.crops=16", "updates=1"]
    done = called("distill", *words)
    assert done.returncode == 0, done.stderr
    told = f"classifier.heads={FILE} classifier.weights=random classifier.labels={OUTPUTS}/labels.json"
    assert f"to use:  target=class:0 classifier=embedded {told}\n" in done.stdout
    given = {"heads": str(tmp_path / FILE), "weights": "random", "labels": str(tmp_path / OUTPUTS / "labels.json")}
    assert HeadedClassifier(**given).outline.labels == facts.labels


@pytest.mark.slow
def test_the_numbers_are_of_the_file(finished, photos):
    """Each head's by hand, in float32; so is the validation's in bfloat16, nearly."""
    from genviz.classifiers.torchvision import TorchvisionClassifier
    from genviz.images.folders import find_pictures
    from genviz.learning.data import Centres, split

    folder, _ = finished
    classifier = HeadedClassifier(heads=str(folder / FILE), weights="random")
    teacher = TorchvisionClassifier(architecture="squeezenet1_1", weights="random")
    _, held_out = split(find_pictures(photos).pictures, 4)
    size = teacher.outline.input_size[0]
    centres = Centres(held_out, size=size, shorter=round(size * 256 / 227))
    pictures = [centres[number] for number in range(len(held_out))]
    images = torch.stack([picture for picture in pictures if picture is not None]).float() / 255
    features = classifier(images, ["heads.input"])["heads.input"]
    scores = [head(features) for head in classifier.network.heads]
    expected = teacher(images, ["scores"])["scores"]
    result = json.loads((folder / OUTPUTS / "result.json").read_text())["agreement"]
    for name, own in zip(("mean", "head1", "head2"), (torch.stack(scores).mean(0), *scores), strict=False):
        pairs = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(own, expected, strict=True)]
        (told,) = (value for key, value in result.items() if key.endswith(f"/{name}/correlation"))
        assert told == pytest.approx(torch.stack(pairs).mean().item(), abs=1e-3)


@pytest.mark.slow
def test_it_shows_what_it_does(finished):
    folder, done = finished
    assert "256/256" in done.stderr
    assert "crop/s" in done.stderr
    assert "6/6" in done.stderr
    assert "divergence" in done.stderr
    assert done.stderr.count("broken.jpg cannot be decoded") == 1
    rows = (folder / OUTPUTS / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + 6
    assert "divergence/head4" in rows[0]


@pytest.mark.campaign
def test_killed_in_the_bank_and_in_the_training_it_ends_in_the_same_heads(finished, photos, tmp_path):
    process = start(tmp_path, held_before(3, command(photos)))
    kill_at(process, lambda: len(chunks(tmp_path)) == 3)
    before = {path.name: path.stat().st_mtime_ns for path in chunks(tmp_path)}
    assert len(before) == 3
    process = start(tmp_path, slow_after(2, command(photos)))
    kill_at(process, (tmp_path / "checkpoints/distill/heads/last.ckpt").exists)
    after = {path.name: path.stat().st_mtime_ns for path in chunks(tmp_path)}
    assert len(after) == 8
    assert after.items() >= before.items()
    again = distill(tmp_path, photos)
    assert again.returncode == 0, again.stderr
    assert "continuing after update" in again.stdout
    assert same(tmp_path / FILE, finished[0] / FILE)
    for one, other in zip(chunks(tmp_path), chunks(finished[0]), strict=True):
        assert one.name == other.name
        assert same(one, other)


@pytest.mark.slow
def test_a_damaged_file_of_the_bank_is_made_anew_and_nothing_else(finished, photos, called, tmp_path):
    """In a training of its own on the same bank, which is there already."""
    files = chunks(finished[0])
    whole, times = tmp_path / "whole.safetensors", [path.stat().st_mtime_ns for path in files]
    whole.write_bytes(files[3].read_bytes())
    files[3].write_bytes(whole.read_bytes()[:-5] + b"wrong")
    given = command(photos, f"data.bank={finished[0]}/checkpoints/banks")[2:]
    done = called("distill", *given)
    assert done.returncode == 0, done.stderr
    assert same(files[3], whole)
    changed = [path.stat().st_mtime_ns != time for path, time in zip(files, times, strict=True)]
    assert changed == [number == 3 for number in range(8)]
    assert same(tmp_path / FILE, finished[0] / FILE)
    again = called("distill", *given)
    assert "heads is done, 6 updates" in again.stdout


@pytest.mark.slow
def test_another_bank_is_made_for_other_settings(finished, photos, called, tmp_path):
    banks = finished[0] / "checkpoints/banks"
    before = set(banks.glob("*/"))
    words = ["distillation.noise=0.2", f"data.bank={banks}", "updates=1", "data.crops=32"]
    done = called("distill", *command(photos, *words)[2:])
    assert done.returncode == 0, done.stderr
    (new,) = [path for path in banks.glob("*/") if path not in before and path.is_dir()]
    assert len(list(new.glob("*.safetensors"))) == 1  # the pictures held out have no noise, and are there


@pytest.mark.campaign
def test_without_a_bank_each_update_has_crops_of_its_own(photos, tmp_path):
    words = [
        "data.crops=null",
        "student.layers=[fire5,fire9]",
        "second_teacher=squeezenet1_0",
        "second_teacher.weights=random",
    ]
    whole = distill(tmp_path, photos, *words, "name=whole")
    assert whole.returncode == 0, whole.stderr
    assert "taught by squeezenet1_1 (random) and squeezenet1_0 (random)" in whole.stdout
    assert "768 channels of fire5, fire9" in whole.stdout
    assert not (tmp_path / "checkpoints/banks").exists()
    process = start(tmp_path, slow_after(2, command(photos, *words)))
    kill_at(process, (tmp_path / "checkpoints/distill/heads/last.ckpt").exists)
    again = distill(tmp_path, photos, *words)
    assert "continuing after update" in again.stdout
    assert same(tmp_path / FILE, tmp_path / "outputs/distill/whole/whole.safetensors")
    classifier = HeadedClassifier(heads=str(tmp_path / FILE), weights="random")
    assert classifier.outline.layers[-1].shape == (1000,)


@pytest.mark.slow
def test_other_settings_do_not_continue_it(finished, photos, called):
    done = called("distill", *command(photos, "distillation.temperature=4")[2:], folder=finished[0])
    (line,) = done.stderr.strip().splitlines()
    assert "distillation.temperature was 2.0 and is 4" in line
    assert done.returncode == 2


@pytest.mark.slow
def test_heads_of_a_file_are_trained_further(finished, photos, called, tmp_path):
    banks = f"data.bank={finished[0]}/checkpoints/banks"
    first = tmp_path / "first.safetensors"
    shutil.copy(finished[0] / FILE, first)
    words = [word for word in command(photos, banks)[2:] if not word.startswith("student.heads")]
    still = called("distill", *words, f"student.heads={first}", "optimizer.lr=1e-9", "name=still")
    assert still.returncode == 0, still.stderr
    before, after = load_file(first), load_file(tmp_path / "outputs/distill/still/still.safetensors")
    for name, value in before.items():
        torch.testing.assert_close(after[name].float(), value.float(), rtol=2e-3, atol=1e-4)
    moved = called("distill", *words, f"student.heads={first}", "name=moved")
    assert not same(first, tmp_path / "outputs/distill/moved/moved.safetensors"), moved.stderr
    other = called("distill", *words, f"student.heads={first}", "student.layers=[fire8]", "name=other")
    assert "these heads stand on fire9 of squeezenet1_1" in other.stderr
    first.write_bytes((tmp_path / "outputs/distill/moved/moved.safetensors").read_bytes())
    others = called("distill", *words, f"student.heads={first}", "name=moved", "updates=7")
    assert "student.heads was sha256" in others.stderr.strip().splitlines()[-1]


@pytest.mark.slow
def test_a_bank_that_another_process_makes_is_one_line(finished, photos, called, tmp_path):
    from genviz.training.run_folders import claim

    banks = finished[0] / "checkpoints/banks"
    held = [claim(path) for path in banks.glob("*.lock")]
    try:
        done = called("distill", *command(photos, f"data.bank={banks}")[2:])
    finally:
        for lock in held:
            lock.close()
    assert done.returncode == 2
    assert "is in use by another process" in done.stderr.strip().splitlines()[-1]
