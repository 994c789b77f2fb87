"""Many targets: each comes out as if alone, whatever happens to the others."""

from contextlib import ExitStack

import pytest
from user_sweeps import FOLDERS, begun, checkpoint, results, swept

from genviz.analysis.class_setup import choosing
from genviz.sweeps.log import _known
from genviz.sweeps.queue import Waiting
from genviz.training import build, configuration
from genviz.training.run import Run
from genviz.training.run_folders import RunFolders, TakenError
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


GENERATORS = {
    "untrained": [],
    "untrained_moving": ["generator.statistics=moving", "generator.output=standardized", "regularizer=gamma_l1"],
    "pretrained": ["generator=pretrained"],
    "pretrained_views": ["experiment=pretrained_views", "updates=6", "snapshot_every=3"],
    "pixels": ["generator=pixels", "generator.start=noise", "optimizer=adam", "lr_end=0.1"],
}


_MARKS = {"untrained": pytest.mark.slow, "pretrained": pytest.mark.campaign, "pretrained_views": pytest.mark.campaign}


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=name, marks=_MARKS.get(name, ())) for name, words in GENERATORS.items()]
)
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
        timed = {"seconds_per_update", "checksum"}  # the checksum is of the seconds, too
        assert {k: v for k, v in result.items() if k not in timed} == {k: v for k, v in other.items() if k not in timed}
    single = alone("class:harmonica", *words, root="alone")
    for name in ("final.png", "metrics.csv"):
        assert (single.outputs / name).read_bytes() == (together / "class-harmonica" / name).read_bytes()


def test_what_is_done_is_not_made_again(make, alone, capsys):
    places = alone("class:harmonica")
    before = places.result.stat().st_mtime_ns
    code, folder = make("batch=2")
    assert code == 0
    assert "1 already done" in capsys.readouterr().out
    assert places.result.stat().st_mtime_ns == before
    stamps = [(folder / name / "final.png").stat().st_mtime_ns for name in FOLDERS]
    assert make("batch=3")[0] == 0
    assert [(folder / name / "final.png").stat().st_mtime_ns for name in FOLDERS] == stamps
    assert "3 already done" in capsys.readouterr().out


@pytest.mark.slow
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


def test_a_run_sees_that_another_process_has_gone_on(alone, tmp_path):
    config, (target,) = begun(tmp_path / "one", "target=class:harmonica")
    classifier = build.classifier(config.classifier)
    run = Run(config, target, classifier, None)
    assert (run.has_moved, run.continues) == (False, None)
    alone("class:harmonica")
    assert run.has_moved
    again = Run(config, target, classifier, None)
    assert again.done is not None
    assert not again.has_moved


def test_another_list_is_another_run_of_the_loggers(tmp_path):
    path = tmp_path / "sweep-0.json"
    for text in ("", "{}", "[]", '{"targets": "a"}'):
        path.write_text(text)
        assert _known(path, "a") is None
    path.write_text('{"targets": "a", "wandb_run_id": "x1"}')
    assert (_known(path, "a"), _known(path, "b"), _known(tmp_path / "none", "a")) == ("x1", None, None)


@pytest.mark.slow
def test_a_target_that_another_process_makes_is_left_to_it(make, tmp_path, capsys):
    config, (target,) = begun(tmp_path / "one", "target=class:tench")
    with RunFolders.of(config, target).claimed():
        code, folder = make("batch=2")
        with pytest.raises(TakenError, match="is in use by another process"):
            train(config, target)
    assert code == 0
    assert "in progress in other processes: class:tench" in capsys.readouterr().out
    assert not (folder / "class-tench" / "result.json").exists()
    assert (folder / "class-harmonica" / "result.json").exists()
    assert make("batch=2")[0] == 0
    assert (folder / "class-tench" / "result.json").exists()


@pytest.mark.campaign
def test_the_filters_that_matter_most_are_targets_each(tmp_path, capsys):
    entries = "filter:relu4_1:top2:harmonica,class:tench,filter:relu4_1:top2:harmonica+class:zebra"
    words = [f"targets={entries}", "classifier=small", f"paths.outputs={tmp_path}/outputs"]
    config = configuration.compose("train", words)
    first, second, tench, group = build.targets(config, build.sketch(config.classifier), choosing(config))
    assert [unit.kind for unit in (*first.units, *second.units, *tench.units)] == ["filter", "filter", "class"]
    assert str(group) == f"{first}+{second.units[0].piece}+class:zebra"
    assert (
        f"filter:relu4_1:top2:harmonica is {first}+{second.units[0].piece}, which contribute" in capsys.readouterr().out
    )


def test_the_run_of_another_target_is_as_if_worked_out_for_it(tmp_path):
    config, targets = begun(tmp_path, "targets=class:tench,filter:relu1:3")
    waiting = Waiting(config, targets, build.classifier(config.classifier))
    waiting.run(targets[0])
    other = waiting.run(targets[1])
    own = Run(waiting._settled(targets[1]), targets[1], waiting.classifier, None, waiting.names)
    assert (other.target, other.settings, other.identity) == (own.target, own.settings, own.identity)
    assert (other.folders, other.continues) == (own.folders, None)
    other.prepare()
    written = (other.folders.outputs / "config.yaml").read_text()
    own.prepare()
    assert (own.folders.outputs / "config.yaml").read_text() == written


def test_targets_before_and_after_dropout_share_no_batch(tmp_path):
    """For its random numbers are drawn where a target's layer comes after it, and later ones depend on those."""
    words = "targets=filter:fire2:3,class:tench,filter:relu1:5,class:harmonica"
    plain, changed = ["transform=views"], ["transform=[views,dropout]"]
    batches = {}
    for name, more in (("plain", plain), ("changed", changed)):
        config, targets = begun(tmp_path / name, words, *more)
        waiting = Waiting(config, targets, build.classifier(config.classifier))
        with ExitStack() as claims:
            batches[name] = [str(run.target) for run in waiting.claim(4, claims)]
    assert batches["plain"] == [str(target) for target in targets]
    assert batches["changed"] == ["filter:fire2:3", "filter:relu1:5"]
