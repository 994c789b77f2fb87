import argparse
import collections
import datetime
import enum
import functools
import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from genviz.classifiers.weight_files import foreign_file, state_dict
from genviz.classifiers.weight_files.foreign_file import StandIn
from genviz.errors import UserError


class Kind(enum.Enum):
    A = "a"


class Settings(dict):
    """As Lightning's AttributeDict."""


OBJECTS = {
    "namespace": argparse.Namespace(rate=0.1, path=Path("data")),
    "config": OmegaConf.create({"sizes": [1, 2], "inner": {"a": 1}}),
    "settings": Settings(rate=0.1),
    "kind": Kind.A,
    "kinds": {Kind.A: 1},
    "partial": functools.partial(print, 3),
    "array": np.arange(3.0),
    "number": np.float64(0.5),
    "queue": collections.deque([1, 2], 5),
    "lists": collections.defaultdict(list, {"a": [1]}),
    "time": datetime.timedelta(seconds=1),
    "words": {"a", "b"},
    "module": nn.Linear(2, 2),
    "type": torch.float16,
    "size": torch.Size([1, 2]),
}


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", [*OBJECTS, None])
def test_objects_beside_the_weights_do_not_keep_them_from_being_read(tmp_path, name, zipped, mapped):
    state = {"a.weight": torch.rand(3, 2), "a.bias": nn.Parameter(torch.rand(3).half()), "n": torch.tensor(3)}
    objects = OBJECTS if name is None else {name: OBJECTS[name]}
    checkpoint = {"epoch": 1, "hyper_parameters": objects, "state_dict": state, **objects}
    path = tmp_path / "epoch=3-step=100.ckpt"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    found = state_dict.read(path, mapped=mapped)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) and found[key].dtype == state[key].dtype for key in state)


class Calls:
    """Creates a folder when it is unpickled."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("function", [os.mkdir, Path.mkdir, eval, exec, torch.load, functools.partial])
def test_no_code_that_a_file_names_is_run(tmp_path, function):
    trap = tmp_path / "trap"
    arguments = {eval: (f"__import__('os').mkdir({str(trap)!r})",), exec: (f"import os; os.mkdir({str(trap)!r})",),
                 torch.load: (str(trap),), functools.partial: (os.mkdir, str(trap)),
                 Path.mkdir: (trap,)}.get(function, (str(trap),))  # fmt: skip
    made = Calls(function, *arguments)
    for zipped in (True, False):
        path = tmp_path / "weights.pth"
        torch.save({"state_dict": {"a": torch.ones(2)}, "evil": made}, path, _use_new_zipfile_serialization=zipped)
        assert state_dict.read(path)["a"].tolist() == [1, 1]
        torch.save({"state_dict": made}, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(UserError, match="holds no weights that can be read"):
            state_dict.read(path)
    assert not trap.exists()


def test_a_whole_network_is_no_state_dict(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "network.pt")
    with pytest.raises(UserError, match=r"holds no weights that can be read \(it holds more"):
        state_dict.read(tmp_path / "network.pt")


def test_only_what_makes_tensors_and_dicts_is_not_replaced():
    for thing in (os.system, eval, getattr, print, torch.load, nn.Linear, torch.hub.load, Path, StandIn):
        assert foreign_file.load(io.BytesIO(pickle.dumps(thing))) is StandIn


def test_a_torchscript_program_is_not_loaded(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "network.pt")
    with pytest.raises(ValueError, match="TorchScript"):
        foreign_file.read(tmp_path / "network.pt")
    with pytest.raises(UserError, match=r"TorchScript"):
        state_dict.read(tmp_path / "network.pt")
