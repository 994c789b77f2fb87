"""Many targets: each comes out as if alone, whatever happens to the others."""

import csv
import json

import pytest
import torch
from conftest import CONFIGS
from sweeps import FOLDERS, begun, swept

from genviz import build, program
from genviz.errors import CannotWriteError, UserError
from genviz.objectives.activation import Activation
from genviz.runs.batch import Batch
from genviz.runs.classes import choosing
from genviz.runs.places import Places, TakenError
from genviz.runs.train import train


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
        return Places.of(config, found)

    return made


def checkpoint(folder):
    """All that a target's checkpoint holds but for how long it took, by the path to it."""
    path = str(folder).replace("/outputs/", "/checkpoints/") + "/last.ckpt"
    found = {}

    def walk(where, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk((*where, key), inner)
        elif isinstance(value, list | tuple):
            for key, inner in enumerate(value):
                walk((*where, key), inner)
        elif where[-1] not in ("seconds", "outputs", "checkpoints", "batch"):
            found[where] = value.tolist() if isinstance(value, torch.Tensor) else value

    walk((), torch.load(path, weights_only=True))
    return found


def results(folder):
    return {name: json.loads((folder / name / "result.json").read_text()) for name in FOLDERS}


GENERATORS = {
    "untrained": [],
    "untrained_moving": ["generator.statistics=moving", "generator.output=standardized", "regularizer=gamma_l1"],
    "pretrained": ["generator=pretrained"],
    "pretrained_views": ["experiment=pretrained_views", "updates=6", "snapshot_every=3"],
    "pixels": ["generator=pixels", "generator.start=noise", "optimizer=adam", "lr_end=0.1"],
}


@pytest.mark.parametrize("words", GENERATORS.values(), ids=GENERATORS)
def test_a_target_of_a_batch_is_the_one_alone_to_the_bit(make, alone, words):
    code, together = make(*words, "batch=3", root="together")
    assert code == 0
    code, apart = make(*words, "batch=1", root="apart")
    assert code == 0
    for folder in FOLDERS:
        for name in ("final.png", "metrics.csv", "snapshots/00000.png", "snapshots/00003.png", "evolution.mp4"):
            assert (together / folder / name).read_bytes() == (apart / folder / name).read_bytes(), name
        assert checkpoint(together / folder) == checkpoint(apart / folder)
    for folder, result in results(together).items():
        other = results(apart)[folder]
        assert {k: v for k, v in result.items() if "seconds" not in k} == {
            k: v for k, v in other.items() if "seconds" not in k
        }
    single = alone("class:harmonica", *words, root="alone")
    for name in ("final.png", "metrics.csv"):
        assert (single.outputs / name).read_bytes() == (together / "class-harmonica" / name).read_bytes()


def test_what_is_done_is_not_made_again(make, alone, capsys):
    places = alone("class:harmonica")
    before = places.result.stat().st_mtime_ns
    code, folder = make("batch=2")
    assert code == 0
    assert "1 are done" in capsys.readouterr().out
    assert places.result.stat().st_mtime_ns == before
    stamps = [(folder / name / "final.png").stat().st_mtime_ns for name in FOLDERS]
    assert make("batch=3")[0] == 0
    assert [(folder / name / "final.png").stat().st_mtime_ns for name in FOLDERS] == stamps
    assert "3 are done" in capsys.readouterr().out


def test_a_sweeps_checkpoint_goes_on_alone_and_an_own_one_in_a_sweep(make, alone):
    make("batch=3", root="one")
    longer = alone("class:harmonica", "updates=9", root="one")
    whole = alone("class:harmonica", "updates=9", root="two")
    assert (longer.outputs / "final.png").read_bytes() == (whole.outputs / "final.png").read_bytes()
    assert make("batch=3", "updates=9", root="one")[0] == 0  # two go on together, the third is done
    apart = make("batch=1", "updates=9", root="three")[1]
    for folder in FOLDERS:
        own = (longer.outputs.parent / folder / "final.png").read_bytes()
        assert own == (apart / folder / "final.png").read_bytes()


def test_other_settings_are_refused_target_by_target(make, alone, capsys):
    alone("class:harmonica", "seed=3")
    code, folder = make("batch=3")
    assert code == 2
    assert "class:harmonica: cannot be made" in (told := capsys.readouterr().err)
    assert "seed was 3 and is 0" in told
    assert json.loads((folder / "class-tench" / "result.json").read_text())["seed"] == 0


def test_one_that_becomes_no_number_leaves_the_others_as_they_are(make, monkeypatch):
    code, sound = make("batch=3", root="sound")
    scored = Activation.forward

    def forward(self, seen):
        score = scored(self, seen)
        return score * float("nan") if self.update == 3 and "relu1" in self.target.layers[0] else score

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


def test_a_dead_one_is_reported_and_does_not_stop_the_others(make, monkeypatch, capsys):
    dead = Activation.forward
    monkeypatch.setattr(Activation, "forward", lambda self, seen: dead(self, seen) * 0)
    assert make("generator.contrast=0.0", targets="filter:fire4:0,class:tench")[0] == 0
    told = capsys.readouterr().out
    assert "1/2 filter:fire4:0: " in told
    assert "2/2 class:tench: " in told


def test_a_damaged_checkpoint_is_one_targets_failure(make, tmp_path, capsys):
    folder = tmp_path / "one/checkpoints/squeezenet1_1-random/untrained_small/class-tench"
    folder.mkdir(parents=True)
    (folder / "last.ckpt").write_text("junk")
    code, outputs = make("batch=2")
    assert code == 2
    captured = capsys.readouterr()
    assert "class:tench: cannot be made" in captured.err
    assert "could not be made: class:tench" in captured.err
    assert "2 targets: " in captured.out
    assert (outputs / "class-harmonica" / "result.json").exists()


def test_a_setting_that_no_target_can_have_ends_the_sweep(make):
    with pytest.raises(UserError, match=r"the first 3 targets failed alike: .*warm_up"):
        make("objective.activation.warm_up=-1", targets="class:0-20")


def test_a_full_disk_ends_the_sweep(make, monkeypatch):
    def full(self, *arguments):
        raise CannotWriteError("cannot write x: No space left on device")

    monkeypatch.setattr(Batch, "finish", full)
    with pytest.raises(CannotWriteError, match="No space left"):
        make("batch=1")


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


def test_a_target_that_another_process_makes_is_left_to_it(make, tmp_path, capsys):
    config, (target,) = begun(tmp_path / "one", "target=class:tench")
    with Places.of(config, target).claimed():
        code, folder = make("batch=2")
        with pytest.raises(TakenError, match="is being made by another process"):
            train(config, target)
    assert code == 0
    assert "being made by other processes: class:tench" in capsys.readouterr().out
    assert not (folder / "class-tench" / "result.json").exists()
    assert (folder / "class-harmonica" / "result.json").exists()
    assert make("batch=2")[0] == 0
    assert (folder / "class-tench" / "result.json").exists()


def test_the_filters_that_matter_most_are_targets_each(tmp_path, capsys):
    entries = "filter:relu4_1:top2:harmonica,class:tench,filter:relu4_1:top2:harmonica+class:zebra"
    words = [f"targets={entries}", "classifier=embedded", f"paths.outputs={tmp_path}/outputs"]
    config = program.compose(CONFIGS, "train", words)
    first, second, tench, group = build.targets(config, build.sketch(config.classifier), choosing(config))
    assert [unit.kind for unit in (*first.units, *second.units, *tench.units)] == ["filter", "filter", "class"]
    assert str(group) == f"{first}+{second.units[0].piece}+class:zebra"
    assert (
        f"filter:relu4_1:top2:harmonica is {first}+{second.units[0].piece}, which contribute" in capsys.readouterr().out
    )
