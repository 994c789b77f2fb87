"""A checkpoint that is whole as a file, and does not hold what it should: one line says so, and it stays as it is."""

import shutil

import pytest
import torch
from user import RUN, WORDS

from genviz.training.checkpoint import KEY


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


def first(checkpoint):
    return next(iter(checkpoint["state_dict"]))


CHANGES = {
    "no weights": lambda c: {**c, "state_dict": {}},
    "a weight less": lambda c: c["state_dict"].pop(first(c)),
    "a weight of another shape": lambda c: c["state_dict"].update({first(c): torch.zeros(7)}),
    "a weight that is none": lambda c: c["state_dict"].update({first(c): "zeros"}),
    "no optimizer": lambda c: {**c, "optimizer_states": []},
    "another optimizer": lambda c: {**c, "optimizer_states": [{"state": {}, "param_groups": []}]},
    "an optimizer that is none": lambda c: {**c, "optimizer_states": [3]},
    "no loops": lambda c: {**c, "loops": {}},
    "an update that is no number": lambda c: {**c, "global_step": "4"},
    "no random state": lambda c: c[KEY].update(rng={}),
    "another random state": lambda c: c[KEY]["rng"].update(torch=torch.zeros(3)),
    "seconds that are no number": lambda c: c[KEY].update(seconds="4"),
    "no identity": lambda c: c[KEY].update(identity=None),
    "a newer format": lambda c: c[KEY].update(format=99),
    "another schedule": lambda c: {**c, "lr_schedulers": [{"odd": 1}, {}]},
    "a list": lambda c: [1, 2],
}
MARKS = dict.fromkeys(list(CHANGES)[4:], pytest.mark.slow)


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in CHANGES])
def test_it_is_one_line_and_the_file_stays(run, tmp_path, called, name):
    if not any(run.iterdir()):
        assert called("train", *WORDS, "logger=none", "updates=4", folder=run).returncode == 0
    shutil.copytree(run, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "checkpoints" / RUN / "last.ckpt"
    checkpoint = torch.load(path, weights_only=True)
    changed = CHANGES[name](checkpoint)
    torch.save(changed if isinstance(changed, dict | list) else checkpoint, path)
    before = path.read_bytes()
    done = called("train", *WORDS, "logger=none", "updates=8")
    told = done.stderr.strip().splitlines()[-1]
    if name == "another schedule" and done.returncode == 0:  # there is none to restore it
        return
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "resume=false" in told
    assert len(told) <= 300
    assert path.read_bytes() == before
