"""What python pretrain.py makes, alone and in two processes, killed and gone on."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from conftest import TINY
from damage import damage, everything
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from user import SECONDS, environment, slow_after
from user_pretraining import DECODER, command, make_photos, pretrain

from genviz.files import SHIPPED
from genviz.generators import decoder_file
from genviz.generators.pretrained import Pretrained
from genviz.learning import picture_training
from genviz.training.run_folders import claimed


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos):
    folder = tmp_path_factory.mktemp("finished")
    done = pretrain(folder, photos, "logger=wandb")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_shows_what_it_does(finished):
    folder, done = finished
    assert "22 x 22 pixels" in done.stdout
    assert (
        "13 pictures to train on, 5 held out; left out, as their names are not a picture's: 1 (notes.txt)"
        in done.stdout
    )
    assert done.stderr.count("broken.jpg cannot be decoded") == 1
    assert "6/6" in done.stderr
    assert "psnr" in done.stderr
    assert "update 4: validation/psnr" in done.stderr
    (logged,) = (folder / "outputs/pretrain/tiny/wandb").glob("offline-run-*/*.wandb")
    assert b"validation/ssim" in logged.read_bytes()
    assert b"media/images/reconstructions" in logged.read_bytes()


def test_it_leaves_a_decoder_that_says_what_it_is(finished):
    folder, done = finished
    with safe_open(folder / DECODER, "pt") as file:
        facts = json.loads(file.metadata()["genviz"])["facts"]
    result = json.loads((folder / "outputs/pretrain/tiny/result.json").read_text())
    assert result["validation"] == facts["validation"]
    assert facts["validation"].keys() == {"psnr", "ssim"}
    assert list(facts["data"].values()) == [13]
    assert facts["eye"] is None
    assert f"{facts['validation']['psnr']:.3f}  psnr" in done.stdout
    assert Pretrained(weights=str(folder / DECODER))().images.shape == (1, 3, 22, 22)
    panel = Image.open(folder / "outputs/pretrain/tiny/reconstructions/000006.png")
    assert panel.size == (5 * 22, 3 * 22)


def test_best_and_last_are_kept(finished):
    folder, _ = finished
    best, last = (torch.load(folder / f"checkpoints/pretrain/tiny/{name}.ckpt") for name in ("best", "last"))
    assert last["global_step"] == 6
    assert best["global_step"] in (2, 4, 6)
    assert last["genviz"]["best"] == best["genviz"]["best"] > 0


def test_train_makes_a_picture_with_it(finished, tmp_path, called):
    weights = finished[0] / DECODER
    words = [word for word in TINY if not word.startswith("generator")]
    done = called(
        "train", "target=class:1", *words, "generator=pretrained", f"generator.weights={weights}", "updates=80",
        "logger=none",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("outputs/*/pretrained-tiny/class-*/result.json")
    result = json.loads(path.read_text())
    assert result["trainable_parameters"] == 8 * 4 * 4
    assert result["generator_sha256"] == decoder_file.read(weights)[1]
    snapshots = [path.parent / f"snapshots/{update:05d}.png" for update in (40, 80)]  # not the one before any update
    shown = np.median([np.array(Image.open(snapshot), dtype=float) for snapshot in snapshots], axis=0)
    assert np.abs(shown - np.array(Image.open(path.parent / "final.png"))).max() <= 1
    (checkpoint,) = tmp_path.glob("checkpoints/*/pretrained-tiny/class-*/last.ckpt")
    state = torch.load(checkpoint)["state_dict"]
    assert not [name for name in state if name.endswith("0.weight") and state[name].ndim == 4]  # the decoder stays out


def losses(folder):
    with (folder / "outputs/pretrain/tiny/metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def validations(said):
    return [line.split(": ", 1)[1] for line in said.splitlines() if "validation/psnr" in line]


MIRROR = ["decoder.kernels=[2,2]", "encoder.widths=[4,4,4]", "encoder.hidden=null"]
FEATURES = ["eye=small", "eye.weights=default", "loss.weight_features=0.5", "loss.features=[relu1_1,relu2_1]"]


def test_the_decoder_says_what_was_seen_in_its_pictures(photos, tmp_path):
    assert pretrain(tmp_path, photos, "logger=none", "updates=1", *MIRROR, *FEATURES).returncode == 0
    result = json.loads((tmp_path / "outputs/pretrain/tiny/result.json").read_text())
    assert result["eye"] == f"weights with the sha256 {SHIPPED['small.safetensors']}"


@pytest.mark.campaign
def test_two_processes_train_what_one_does_with_twice_the_batch(photos, tmp_path):
    words = ["logger=none", "updates=8", *MIRROR, *FEATURES]
    one, two = tmp_path / "one", tmp_path / "two"
    measured = []
    for folder, more in ((one, ["batch=8"]), (two, ["batch=4", "trainer.devices=2", "trainer.strategy=ddp"])):
        folder.mkdir()
        done = pretrain(folder, photos, *words, *more)
        assert done.returncode == 0, done.stderr
        measured.append(validations(done.stderr))
    assert len(measured[0]) == 4
    assert measured[0] == measured[1]  # to three places
    assert len(losses(one)) == len(losses(two)) == 8
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)
    weights = [load_file(folder / DECODER) for folder in (one, two)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name].float(), value.float(), rtol=2e-2, atol=2e-3)


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


def wait_for(process, path):
    deadline = time.monotonic() + SECONDS
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_and_started_again_it_ends_in_the_same_weights(finished, photos, tmp_path):
    process = start(tmp_path, photos, slow=2)
    wait_for(process, tmp_path / "checkpoints/pretrain/tiny/last.ckpt")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    again = pretrain(tmp_path, photos, "logger=none")
    assert again.returncode == 0, again.stderr
    assert "continuing after update" in again.stdout
    ours, theirs = load_file(tmp_path / DECODER), load_file(finished[0] / DECODER)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert losses(tmp_path) == losses(finished[0])
    assert decoder_file.read(tmp_path / DECODER)[1] == decoder_file.read(finished[0] / DECODER)[1]


@pytest.mark.campaign
def test_a_full_disk_is_one_line_from_two_processes_too(photos, tmp_path):
    import resource

    done = subprocess.run(
        command(photos, "logger=none", "batch=2", "trainer.devices=2", "trainer.strategy=ddp"),
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "free some space" in done.stderr


def test_two_processes_do_not_train_one_name(finished, photos, tmp_path, called):
    words = command(photos, "logger=none")[2:]
    with claimed(tmp_path / "outputs/pretrain/tiny", apart="name=NAME"):
        done = called("pretrain", *words)
    assert done.returncode == 2
    assert "outputs/pretrain/tiny is in use by another process; wait for it, or keep both with name=NAME" in done.stderr
    assert not (tmp_path / "checkpoints/pretrain/tiny/last.ckpt").exists()


def test_what_another_process_has_continued_is_looked_at_again(finished, photos, tmp_path, called, monkeypatch):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "outputs/pretrain/tiny/result.json").unlink()

    @contextmanager
    def later(outputs, apart):
        (tmp_path / "outputs/pretrain/tiny/result.json").write_text("{}")
        yield

    monkeypatch.setattr(picture_training, "claimed", later)
    done = called("pretrain", *command(photos, "logger=none")[2:])
    assert done.returncode == 2
    assert "another process has continued tiny in the meantime; run the same command again" in done.stderr


@pytest.mark.parametrize("way", ["flipped", pytest.param("folder", marks=pytest.mark.slow)])
@pytest.mark.parametrize("file", ["tiny.safetensors", "result.json", "metrics.csv", "best.ckpt"])
def test_a_damaged_file_is_set_aside_and_gone_on_without(finished, photos, tmp_path, called, file, way):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    words = command(photos, "logger=none")[2:]
    outputs = tmp_path / "outputs/pretrain/tiny"
    path = tmp_path / "checkpoints/pretrain/tiny" / file if file == "best.ckpt" else outputs / file
    kept = damage(path, way)
    if file in ("metrics.csv", "best.ckpt"):
        (outputs / "result.json").unlink()  # as long as it is there, nothing else is looked at
    done = called("pretrain", *words)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert "it is kept as" in done.stderr or file == "metrics.csv"  # with no update left, nothing is added to it
    assert kept in everything(tmp_path)
    made, again = (load_file(folder / DECODER) for folder in (finished[0], tmp_path))
    assert file == "best.ckpt" or all(made[name].equal(value) for name, value in again.items())
    assert "tiny is done" in called("pretrain", *words).stdout


def test_what_is_done_is_not_done_again(finished, photos, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    before = (tmp_path / DECODER).stat().st_mtime_ns
    again = called("pretrain", *command(photos, "logger=wandb")[2:])
    assert again.returncode == 0
    assert "tiny is done, 6 updates" in again.stdout
    assert (tmp_path / DECODER).stat().st_mtime_ns == before
    assert len(list((tmp_path / "outputs/pretrain/tiny/wandb").glob("offline-run-*"))) == 1


@pytest.mark.slow
def test_a_signal_in_the_last_update_loses_nothing(photos, tmp_path):
    code = f"""
import os, signal, sys
sys.argv = {command(photos, "logger=none", "validate_every=4")[1:]!r}
from genviz.training.callbacks.metrics_file import MetricsFile
add = MetricsFile.add
def last(self, row):
    add(self, row)
    if row["update"] == 6:
        os.kill(os.getpid(), signal.SIGTERM)
MetricsFile.add = last
from genviz.commands.main import main
main("pretrain", called="pretrain.py")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "outputs/pretrain/tiny/result.json").read_text())
    assert facts["best_update"] in (4, 6)


@pytest.mark.campaign
def test_a_signal_to_one_of_two_processes_ends_both(photos, tmp_path):
    process = start(
        tmp_path, photos, "updates=3000", "checkpoint_every=3000", "trainer.devices=2", "trainer.strategy=ddp"
    )
    wait_for(process, tmp_path / "outputs/pretrain/tiny/metrics.csv")
    os.kill(process.pid, signal.SIGTERM)
    said, failed = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, failed
    assert "Traceback" not in failed
    assert "SIGTERM after update" in said
    assert (tmp_path / "checkpoints/pretrain/tiny/last.ckpt").exists()
