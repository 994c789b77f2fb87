"""Sweeps: one target's fault is its own."""

import csv
import json
import os
import signal

import pytest
import torch
from user_sweeps import FOLDERS, TARGETS, begun, checkpoint, results, swept

from genviz.errors import CannotWriteError, UserError
from genviz.objectives.activation import Activation
from genviz.sweeps import console, log
from genviz.sweeps.sweep import Sweep
from genviz.training import build
from genviz.training.batch import Batch
from genviz.training.run_folders import RunFolders
from genviz.training.train import train


@pytest.fixture
def make(tmp_path):
    def made(*words, root="one", **more):
        return swept(tmp_path / root, *words, **more)

    return made


@pytest.fixture
def alone(tmp_path):
    def made(target, *words, root="one"):
        config, (found,) = begun(tmp_path / root, f"target={target}", *words)
        assert train(config, found) == 0
        return RunFolders.of(config, found)

    return made


@pytest.mark.slow
def test_other_settings_are_refused_target_by_target(make, alone, capsys):
    alone("class:harmonica", "seed=3")
    code, folder = make("batch=3")
    assert code == 2
    assert "class:harmonica failed" in (told := capsys.readouterr().err)
    assert "seed was 3 and is 0" in told
    assert json.loads((folder / "class-tench" / "result.json").read_text())["seed"] == 0


def test_one_that_becomes_no_number_leaves_the_others_as_they_are(make, monkeypatch):
    code, sound = make("batch=3", root="sound")
    scored = Activation.forward

    def forward(self, seen):
        score = scored(self, seen)
        broken = [self.update == 3 and "relu1" in target.layers for target in self.targets.each]
        return score.where(~torch.tensor(broken), float("nan"))

    monkeypatch.setattr(Activation, "forward", forward)
    code, folder = make("batch=3", root="broken")
    assert code == 0
    found = results(folder)
    assert found["filter-relu1-3"]["verdict"] == "diverged"
    assert "at update 4" in found["filter-relu1-3"]["explanation"]
    rows = list(csv.DictReader((folder / "filter-relu1-3" / "metrics.csv").open()))
    assert len(rows) == 3
    assert checkpoint(folder / "filter-relu1-3")[("global_step",)] == 2  # the last sound one
    for name in ("class-tench", "class-harmonica"):
        for file in ("final.png", "metrics.csv"):
            assert (folder / name / file).read_bytes() == (sound / name / file).read_bytes()
    stamp = (folder / "filter-relu1-3" / "result.json").stat().st_mtime_ns
    make("batch=3", root="broken")  # is not tried again
    assert (folder / "filter-relu1-3" / "result.json").stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_a_dead_one_is_reported_and_does_not_stop_the_others(make, capsys):
    code, folder = make("batch=2", targets="filter:fire4:27,class:tench")  # a filter that is silent in each picture
    assert code == 0
    verdicts = {path.parent.name: json.loads(path.read_text())["verdict"] for path in folder.glob("*/result.json")}
    assert verdicts == {"filter-fire4-27": "dead", "class-tench": "not reached"}
    told = capsys.readouterr().out
    assert "1/2 filter:fire4:27: dead: " in told
    assert "2/2 class:tench: not reached: " in told
    _, alone = make(targets="class:tench", root="alone")
    assert (folder / "class-tench/metrics.csv").read_bytes() == (alone / "class-tench/metrics.csv").read_bytes()


def test_a_damaged_checkpoint_is_one_targets_failure(make, tmp_path, capsys):
    folder = tmp_path / "one/checkpoints/squeezenet1_1-random/untrained_small/class-tench"
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_text("junk")
    code, outputs = make("batch=2")
    assert code == 2
    captured = capsys.readouterr()
    assert "class:tench failed" in captured.err
    assert "failed: class:tench" in captured.err
    assert "2 targets: " in captured.out
    assert (outputs / "class-harmonica" / "result.json").exists()


def test_damaged_checkpoints_do_not_stop_the_others(make, tmp_path, capsys):
    for name in ("tench", "goldfish", "great-white-shark"):
        folder = tmp_path / "one/checkpoints/squeezenet1_1-random/untrained_small" / f"class-{name}"
        folder.mkdir(parents=True)
        (folder / "last.ckpt").write_text("junk")
    code, outputs = make("batch=2", targets="class:0-4")
    assert code == 2
    assert len([*outputs.glob("*/result.json")]) == 2
    assert "target=class:tench resume=false to start over" in capsys.readouterr().err


@pytest.mark.slow
def test_an_error_of_ours_is_one_targets_too_and_is_kept(make, monkeypatch, capsys):
    finish = Batch.finish

    def broken(self):
        if any("relu1" in str(run.target) for run in self.runs):
            raise ZeroDivisionError("of the test's")
        return finish(self)

    monkeypatch.setattr(Batch, "finish", broken)
    code, folder = make("batch=3")
    assert code == 2
    assert "filter:relu1:3 failed: ZeroDivisionError: of the test's" in capsys.readouterr().err
    assert "ZeroDivisionError" in (folder / "filter-relu1-3" / "error.txt").read_text()
    assert {path.parent.name for path in folder.glob("*/result.json")} == {"class-tench", "class-harmonica"}
    monkeypatch.setattr(Batch, "finish", finish)
    assert make("batch=3")[0] == 0
    assert not (folder / "filter-relu1-3" / "error.txt").exists()


@pytest.mark.parametrize(
    "junk", ["null", "[]", "{", '{"identity": 1}', '{"updates_wanted": null, "identity": {}}', "older"]
)
def test_a_result_that_makes_no_sense_is_made_again(make, junk):
    _, folder = make(targets="class:tench")
    path = folder / "class-tench" / "result.json"
    made = json.loads(path.read_text())
    path.write_text(junk if junk != "older" else json.dumps({**made, "updates_wanted": None}))
    assert make(targets="class:tench")[0] == 0
    assert json.loads(path.read_text())["identity"] == made["identity"]


@pytest.mark.parametrize("words", [["+trainer.gradient_clip_val=1"], ["trainer.precision=16-mixed"]])
def test_what_would_mix_the_targets_gradients_is_trained_one_by_one(words, tmp_path):
    config, targets = begun(tmp_path, f"targets={TARGETS}", "batch=3", *words)
    assert Sweep(config, targets, build.classifier(config.classifier)).at_once == 1
    config, targets = begun(tmp_path, f"targets={TARGETS}", "batch=3")
    assert Sweep(config, targets, build.classifier(config.classifier)).at_once == 3


def test_a_page_that_cannot_be_written_on_the_way_stops_nothing(make, monkeypatch, capsys):
    monkeypatch.setattr("genviz.sweeps.sweep._SECONDS", 0.0)

    def fails(folder):
        raise UserError("no finished run in it")

    monkeypatch.setattr("genviz.sweeps.sweep.write_review", fails)
    assert make()[0] == 0
    assert "the page could not be updated: no finished run in it" in capsys.readouterr().err


def test_a_signal_between_two_batches_ends_the_sweep_and_loses_nothing(make, monkeypatch, capsys):
    finish = Batch.finish

    def struck(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return finish(self)

    monkeypatch.setattr(Batch, "finish", struck)
    assert make("batch=1")[0] == 128 + signal.SIGTERM
    assert "SIGTERM: 1 of 3 targets are done" in capsys.readouterr().out
    monkeypatch.setattr(Batch, "finish", finish)
    assert make("batch=1")[0] == 0


def test_a_setting_that_no_target_can_have_ends_the_sweep(make):
    with pytest.raises(UserError, match=r"the first 3 targets failed for the same reason: .*warm_up"):
        make("objective.activation.warm_up=-1", targets="class:0-20")


def test_a_full_disk_ends_the_sweep(make, monkeypatch):
    def full(self, *arguments):
        raise CannotWriteError("cannot write x: No space left on device")

    monkeypatch.setattr(Batch, "finish", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        make("batch=1")


@pytest.mark.slow
def test_what_the_memory_does_not_hold_is_made_with_fewer(make, monkeypatch, capsys):
    code, whole = make("batch=1", root="whole")
    fit, sizes = Batch.fit, []

    def small(self, *arguments):
        sizes.append(len(self.runs))
        if len(self.runs) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return fit(self, *arguments)

    monkeypatch.setattr(Batch, "fit", small)
    code, folder = make("batch=5", root="halved")
    assert (code, sizes) == (0, [3, 1, 1, 1])
    assert "1 at a time from here on" in capsys.readouterr().err
    for name in FOLDERS:
        assert (folder / name / "final.png").read_bytes() == (whole / name / "final.png").read_bytes()


@pytest.mark.parametrize("said", ['{"targets": "ab', "[" * 100_000, "[]"])
def test_a_damaged_file_of_its_run_is_set_aside(tmp_path, capsys, said):
    (tmp_path / "sweep-0.json").write_text(said)
    assert log._known(tmp_path / "sweep-0.json", "abc") is None
    assert (tmp_path / "sweep-0.json~1").read_text() == said
    assert "is damaged; it is kept as sweep-0.json~1" in capsys.readouterr().err


def test_why_a_target_failed_is_a_line_of_300_characters(capsys):
    console.target_failed(1, 3, "class:tench", f"{'/long' * 100}/last.ckpt is damaged; use resume=false")
    told = capsys.readouterr().err.strip()
    assert len(told) <= 300
    assert told.endswith("use target=class:tench resume=false")


def test_an_objective_that_takes_one_target_is_said_once(make, monkeypatch, capsys):
    monkeypatch.setattr(Activation, "takes_many", False)
    code, apart = make("batch=2", "together=true", targets="class:0-3", root="apart")
    assert code == 0
    assert capsys.readouterr().out.count("objective.activation takes one target") == 1
    monkeypatch.undo()
    code, whole = make("batch=2", "together=true", targets="class:0-3", root="whole")
    assert code == 0
    assert "takes one target" not in capsys.readouterr().out
    for folder in whole.glob("class-*"):
        assert (folder / "final.png").read_bytes() == (apart / folder.name / "final.png").read_bytes()


def test_a_full_disk_beside_the_training_ends_the_sweep(make, monkeypatch):
    written = RunFolders.write_result

    def full(self, result):
        if "harmonica" in str(self.outputs):
            raise CannotWriteError("the disk is full")
        written(self, result)

    monkeypatch.setattr(RunFolders, "write_result", full)
    with pytest.raises(CannotWriteError, match="full"):
        make("batch=3", "together=true")


def test_a_result_that_cannot_be_written_beside_the_training_is_that_targets_failure(make, monkeypatch, capsys):
    written = RunFolders.write_result

    def lost(self, result):
        if "harmonica" in str(self.outputs):
            raise FileNotFoundError("final.png")
        written(self, result)

    monkeypatch.setattr(RunFolders, "write_result", lost)
    code, folder = make("batch=2", "together=true")
    assert code == 2
    assert "class:harmonica failed" in capsys.readouterr().err
    assert [(folder / name / "result.json").exists() for name in FOLDERS] == [True, True, False]
