"""What python pretrain.py says of odd pictures and of settings that cannot work, called in this process."""

import json
import shutil
import subprocess
import sys

import pytest
from user import SECONDS, environment
from user_pretraining import command, make_photos


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def pretrain(called):
    def on(photos, *words):
        return called("pretrain", *command(photos, "logger=none", *words)[2:])

    return on


def test_folders_may_overlap_and_a_name_may_be_a_number(photos, tmp_path, pretrain):
    roots = f"data.root=[{photos},{photos / 'RGB'}]"
    done = pretrain(photos, roots, "name=2024.1", "data.hold_out=3")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "outputs/pretrain/2024.1/result.json").read_text())
    assert list(result["held_out"].values()) == [6, 2]
    assert list(result["data"].values()) == [12 - 2, 2 - 1]  # nothing is trained on that is held out of the other


@pytest.mark.slow
def test_a_worker_that_fails_lets_the_program_end(photos, tmp_path):
    code = f"""
import sys
sys.argv = {command(photos, "logger=none", "data.workers=1")[1:]!r}
import genviz.learning.data
def fail(self, draw):
    raise RuntimeError("out of order")
genviz.learning.data.Crops._picture = fail
from genviz.commands.main import main
main("pretrain", called="pretrain.py")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 1
    assert "out of order" in done.stderr


def test_mostly_damaged_pictures_are_left_out(photos, tmp_path, pretrain):
    folder = tmp_path / "mostly"
    folder.mkdir()
    for number, picture in enumerate(sorted(photos.rglob("*.png"))):
        shutil.copy(picture, folder / f"{number}.png")
    for number in range(400):
        (folder / f"x{number}.jpg").write_bytes(b"no picture")
    done = pretrain(folder, "updates=20")
    assert done.returncode == 0, done.stderr
    damaged = json.loads((tmp_path / "outputs/pretrain/tiny/result.json").read_text())["damaged"]
    named = [line for line in done.stderr.splitlines() if "cannot be decoded" in line]
    assert len(named) == len(set(named)) == damaged
    assert damaged > 100


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data.root=/nowhere"], "no such folder"),
        (["batch=100"], "fewer than a batch"),
        (["updates=0"], "whole number from 1"),
        (["updates=null"], "how long to train"),
        (["epochs=3"], "how long to train"),
        (["noise=-1"], "noise"),
        (["decoder.widths=[8]"], "one width and one kernel"),
        (["encoder.widths=[4,4,4]"], "use fewer"),
        (["encoder.widths=[0]"], "widths=[0] must be a list of whole numbers"),
        (["encoder.hidden=0"], "hidden=0 must be a whole number"),
        (["loss.weight_features=1", "loss.features=[]"], "names no layer"),
        (["loss.weight_features=1", "eye=vgg16", "eye.weights=/nowhere.pth"], "nowhere.pth"),
        (["trainer.strategy=ddp_spawn"], "use ddp"),
        (["+trainer.accumulate_grad_batches=2"], "larger batch"),
        (["eye=auto", "loss.weight_features=1"], "name one"),
        (["loss.features=relu2_1", "loss.weight_features=1"], "must be a list of layers"),
        (["decoder.widths=6"], "are lists"),
        (["+decoder.rectified=true"], "has no setting 'rectified'"),
        (["trainer.num_nodes=abc"], "num_nodes=abc"),
        (["loss.weight_features=-1"], "weight_features"),
        (["loss.weight_features=1", "loss.features=[relu9_9]"], "relu9_9"),
        (["trainer.precision=8"], "precision"),
        (["name=a/b"], "must be a folder name"),
        (["optimizer.lr=no"], "optimizer"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, photos, pretrain, words, says):
    done = pretrain(photos, *words)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), lines
    assert says in lines[0]
    assert not list(tmp_path.iterdir())


def test_a_folder_of_damaged_pictures_is_one_line(tmp_path, pretrain):
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    done = pretrain(tmp_path)
    assert done.returncode == 2
    assert "none of its 15 pictures to train on can be decoded" in done.stderr


def test_damaged_pictures_held_out_are_one_line_before_any_training(photos, tmp_path, pretrain):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, picture in enumerate(sorted(photos.rglob("*.png"))[:7]):
        shutil.copy(picture, folder / f"{number}.png")
    (folder / "2x.jpg").write_bytes(b"no picture")  # the fourth of eight
    done = pretrain(folder, "data.hold_out=8", "batch=2")
    assert done.returncode == 2
    assert "none of its 1 pictures held out can be decoded" in done.stderr
    assert list(tmp_path.iterdir()) == [folder]
