"""A run, as a user starts, kills and continues it.

What is started, killed and gone on with is a process of its own. Where only what a command makes of the files that it
finds is of interest, it is called in this one.
"""

import csv
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TINY
from PIL import Image
from user import RUN, SECONDS, WORDS, environment, run_until, train

from genviz.images.pictures import read_image


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("finished")
    done = train(folder, *WORDS, "logger=none")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_says_where_everything_is_and_what_to_think_of_it(finished):
    folder, done = finished
    for path in (f"outputs/{RUN}/final.png", f"checkpoints/{RUN}/last.ckpt"):
        assert path in done.stdout
        assert (folder / path).exists()
    assert "measured on the picture as written: activation" in done.stdout
    assert done.stdout.count("%") >= 5
    assert "is resized to the 64 x 64 that" in done.stdout


def test_the_progress_bar_shows_activation_rank_and_loss(finished):
    _, done = finished
    last = done.stderr.replace("\r", "\n").strip().splitlines()[-1]
    assert "12/12" in last
    assert all(word in last for word in ("activation", "rank", "loss"))


def test_everything_of_the_run_is_on_disk(finished):
    folder, _ = finished
    outputs = folder / "outputs" / RUN
    assert sorted(path.name for path in outputs.iterdir()) == [
        "config.yaml", "evolution.mp4", "final.png", "metrics.csv", "result.json", "snapshots",
    ]  # fmt: skip
    assert [path.stem for path in sorted((outputs / "snapshots").iterdir())] == ["00000", "00005", "00010", "00012"]
    assert "lambda_others" in (outputs / "config.yaml").read_text()
    assert Image.open(outputs / "final.png").text["target"] == "class:harmonica"


def test_the_metrics_have_a_row_for_each_update(finished):
    folder, _ = finished
    with (folder / "outputs" / RUN / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["update"]) for row in rows] == list(range(1, 13))
    assert {"loss", "score", "activation", "rank", "penalty/total_variation"} <= set(rows[0])


def test_the_result_is_measured_on_the_picture(finished):
    from genviz.classifiers.torchvision import TorchvisionClassifier

    folder, _ = finished
    result = json.loads((folder / "outputs" / RUN / "result.json").read_text())
    classifier = TorchvisionClassifier(architecture="squeezenet1_1", weights="random", input_size=64)
    scores = classifier(read_image(folder / "outputs" / RUN / "final.png"), ["scores"])["scores"][0]
    assert result["activation"] == pytest.approx(scores[593].item(), rel=1e-5)
    assert result["rank"] == (scores >= scores[593]).sum().item()
    assert result["top_classes"][0]["probability"] == pytest.approx(scores.softmax(0).max().item(), rel=1e-5)
    assert len(result["top_classes"]) == 5
    assert result["weights_sha256"] == classifier.weights_sha256
    assert result["updates"] == 12
    assert {"target", "classifier", "generator", "trainable_parameters", "verdict", "seed", "versions"} <= set(result)
    assert result["seconds_per_update"] > 0


def test_a_checkpoint_holds_all_but_the_classifier(finished):
    folder, _ = finished
    checkpoint = torch.load(folder / "checkpoints" / RUN / "last.ckpt", weights_only=True)
    assert all(name.startswith("generator.") for name in checkpoint["state_dict"])
    assert checkpoint["global_step"] == 12
    assert checkpoint["optimizer_states"]
    ours = checkpoint["genviz"]
    assert set(ours["rng"]) == {"python", "torch", "cuda"}
    assert ours["config"]["target"] == "class:harmonica"
    assert "wandb_run_id" in ours


def test_the_same_command_again_says_that_it_is_done(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "outputs" / RUN / "final.png").stat().st_mtime_ns
    done = called("train", *WORDS, "logger=none")
    assert done.returncode == 0
    assert "is done, 12 updates" in done.stdout
    assert (tmp_path / "outputs" / RUN / "final.png").stat().st_mtime_ns == before


def test_with_another_display_it_is_not_done(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    done = called("train", *WORDS, "logger=none", "display=stretch")
    assert done.returncode == 2
    assert "display was rgb and is stretch" in done.stderr


def test_a_run_from_before_displays_were_recorded_is_done(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "outputs" / RUN / "result.json"
    result = json.loads(path.read_text())
    del result["identity"]["display"], result["checksum"]
    path.write_text(json.dumps(result))
    assert "is done, 12 updates" in called("train", *WORDS, "logger=none").stdout


def test_a_picture_that_was_deleted_is_made_again(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "outputs" / RUN / "final.png").unlink()
    assert called("train", *WORDS, "logger=none").returncode == 0
    assert same_picture(finished[0], tmp_path)


def same_picture(first, second):
    return (first / "outputs" / RUN / "final.png").read_bytes() == (second / "outputs" / RUN / "final.png").read_bytes()


@pytest.mark.campaign
@pytest.mark.parametrize("rows", [[2], [5, 11], [9, 3]])
def test_killed_and_run_again_it_ends_in_the_same_bits(finished, tmp_path, rows):
    for row in rows:
        process = run_until(tmp_path, row, *WORDS, "logger=none")
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    done = train(tmp_path, *WORDS, "logger=none")
    assert done.returncode == 0
    assert same_picture(finished[0], tmp_path)
    for name in ("metrics.csv", "evolution.mp4", "snapshots/00010.png"):
        path = Path("outputs") / RUN / name
        assert (finished[0] / path).read_bytes() == (tmp_path / path).read_bytes(), name


def test_more_updates_go_on_from_the_end(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    done = called("train", *WORDS, "logger=none", "updates=14")
    assert "continuing after update 12 of 14" in done.stdout
    straight = tmp_path / "straight"
    straight.mkdir()
    called("train", *WORDS, "logger=none", "updates=14", folder=straight)
    assert same_picture(straight, tmp_path)


def test_resume_false_starts_over_and_loses_nothing(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    done = called("train", *WORDS, "logger=none", "resume=false", "seed=1")
    assert done.returncode == 0
    assert not same_picture(finished[0], tmp_path)
    aside = tmp_path / "outputs" / f"{RUN}~1"
    assert (aside / "final.png").read_bytes() == (finished[0] / "outputs" / RUN / "final.png").read_bytes()
    assert (tmp_path / "checkpoints" / RUN / "last.ckpt~1").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["seed=1"], "seed was 0 and is 1"),
        (["optimizer.lr=0.1"], "optimizer.lr was 0.004"),
        (["generator.widths=[8,8,8]"], "widths"),
    ],
)
def test_other_settings_do_not_continue_a_checkpoint(finished, tmp_path, called, words, says):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "checkpoints" / RUN / "last.ckpt"
    before = path.read_bytes()
    done = called("train", *WORDS, "logger=none", *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert "resume=false" in done.stderr
    assert path.read_bytes() == before


def test_labels_that_were_put_in_another_order_are_another_target(tmp_path, called):
    names = [f"thing {number}" for number in range(1000)]
    (tmp_path / "mine.txt").write_text("\n".join(names))
    words = ["target=class:thing-7", *TINY, "classifier.labels=mine.txt", "updates=1", "logger=none", "lr_end=1"]
    assert called("train", *words).returncode == 0
    (tmp_path / "mine.txt").write_text("\n".join(names[::-1]))
    again = called("train", *words)
    assert again.returncode == 2
    assert "target.classes was 7 and is 992" in again.stderr


def test_a_damaged_checkpoint_is_one_line_and_stays(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "checkpoints" / RUN / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    done = called("train", *WORDS, "logger=none")
    assert done.returncode == 0  # nothing is left that would need it
    assert "is done, 12 updates" in done.stdout
    (tmp_path / "outputs" / RUN / "result.json").unlink()
    done = called("train", *WORDS, "logger=none")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "damaged" in done.stderr
    assert path.stat().st_size == 1000


@pytest.mark.parametrize(
    ("target", "folder"),
    [
        ("class:tench+harmonica@0.5", "class-tench+harmonica@0.5"),
        ("filter:fire9:3+7+12", "filter-fire9-3+7+12"),
        ("neuron:fire9:5:1:1", "neuron-fire9-5-1-1"),
        ("layer:conv1", "layer-conv1"),
        ("class:jack-o'-lantern", "class-jack-o-lantern"),
    ],
)
def test_every_kind_of_target_runs(compose, target, folder, tmp_path):
    from genviz.training import build
    from genviz.training.train import train as run

    config = compose(f"target={target}", *TINY, "updates=2", "logger=none")
    assert run(config, build.target(config, build.sketch(config.classifier))) == 0
    result = json.loads((tmp_path / "outputs" / RUN.parent / folder / "result.json").read_text())
    assert len(result["units"]) == target.count("+") + 1


def test_the_papers_display_is_an_option(compose, tmp_path):
    from genviz.training import build
    from genviz.training.train import train as run

    config = compose("target=class:harmonica", *TINY, "updates=1", "logger=none", "display=despraz")
    run(config, build.target(config, build.sketch(config.classifier)))
    image = read_image(tmp_path / "outputs" / RUN / "final.png")
    assert image.max() == 1
    assert image.min() == 0


def without_finish(folder, *words):
    """A run that is killed between its last checkpoint and its result."""
    code = f"""
import os, runpy, signal, sys
sys.argv = {["train.py", *words]!r}
import genviz.training.batch
genviz.training.batch.Batch.finish = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
runpy.run_path({str(ROOT / "train.py")!r}, run_name="__main__")
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), timeout=SECONDS, check=False)
    assert killed.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_killed_before_its_result_a_run_is_not_done(finished, tmp_path, called):
    without_finish(tmp_path, *WORDS, "logger=none")
    assert called("train", *WORDS, "logger=none").returncode == 0
    assert same_picture(finished[0], tmp_path)


@pytest.mark.slow
def test_killed_before_its_new_result_an_extended_run_is_not_done_with_the_old(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    words = [*WORDS, "logger=none", "updates=14"]
    without_finish(tmp_path, *words)
    assert "is done" not in called("train", *words).stdout
    assert json.loads((tmp_path / "outputs" / RUN / "result.json").read_text())["updates"] == 14


@pytest.mark.campaign
def test_nothing_of_a_killed_run_with_another_seed_stays(finished, tmp_path, called):
    process = run_until(tmp_path, 2, *WORDS, "logger=none", "seed=1", "checkpoint_every=1000")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert called("train", *WORDS, "logger=none").returncode == 0
    for name in ("snapshots/00000.png", "evolution.mp4", "metrics.csv", "final.png"):
        path = Path("outputs") / RUN / name
        assert (finished[0] / path).read_bytes() == (tmp_path / path).read_bytes(), name


def test_resume_false_with_a_setting_that_cannot_work_moves_nothing(finished, tmp_path, called):
    shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    for word in ("generator.sigma=-1", "optimizer.lr=fast", "trainer.accelerator=abacus"):
        assert called("train", *WORDS, "logger=none", "resume=false", word).returncode == 2
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
