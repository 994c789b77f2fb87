import pytest

from genviz.commands import devices
from genviz.commands.devices import spread
from genviz.errors import UserError


def test_each_of_several_devices_has_a_worker():
    flags, words = spread(["--config-dir", "x"], ["targets=class:all", "trainer.devices=3"])
    assert flags == ["--config-dir", "x", "-m"]
    assert words[:2] == ["targets=class:all", "trainer.devices=3"]
    assert {"worker=0,1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=3"} == set(words[2:])


@pytest.mark.parametrize(
    "words",
    [
        ["targets=class:all"],
        ["targets=class:all", "trainer.devices=1"],
        ["target=class:1", "trainer.devices=3"],
        ["targets=class:all", "trainer.devices=3", "worker=0,1,2"],
    ],
)
def test_what_asks_for_no_workers_or_has_its_own_stays(words):
    assert spread([], words) == ([], words)


def test_a_multirun_stays():
    assert spread(["-m"], ["targets=class:1", "trainer.devices=2"]) == (
        ["-m"],
        ["targets=class:1", "trainer.devices=2"],
    )


def test_without_the_launcher_there_is_one_line(monkeypatch):
    monkeypatch.setattr(devices, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install"):
        spread([], ["targets=class:1", "trainer.devices=2"])


def test_a_launcher_of_ones_own_gets_the_workers_alone():
    words = ["targets=class:1", "trainer.devices=2", "hydra/launcher=submitit_slurm"]
    assert spread([], words) == (["-m"], [*words, "worker=0,1"])
