import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from genviz.classifiers.weight_files import state_dict
from genviz.classifiers.weight_files.state_dict import fitted
from genviz.errors import UserError


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_was_saved_comes_back(tmp_path, suffix, mapped):
    state = {"a.weight": torch.rand(3, 2), "a.bias": torch.rand(3)}
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path) if suffix == ".pth" else save_file(state, path)
    found = state_dict.read(path, mapped=mapped)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("mapped", [False, True])
def test_a_file_from_before_torch_1_6_is_read(tmp_path, mapped):
    torch.save({"a": torch.ones(2)}, tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    assert state_dict.read(tmp_path / "weights.pth", mapped=mapped)["a"].tolist() == [1, 1]


def test_a_changed_number_is_seen_unless_the_file_is_mapped(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.full((1000,), 3.0)}, path)
    content = path.read_bytes()
    place = content.index(torch.full((1000,), 3.0).numpy().tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    with pytest.raises(UserError, match="checksum"):
        state_dict.read(path)
    assert state_dict.read(path, mapped=True)["a"].shape == (1000,)


def test_wrappings_are_taken_off(tmp_path):
    torch.save({"state_dict": {"module.a": torch.ones(1)}, "epoch": 3}, tmp_path / "weights.pth")
    found = state_dict.read(tmp_path / "weights.pth")
    assert list(found) == ["module.a"]
    assert list(fitted(found, ["a"], "weights.pth")) == ["a"]


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm, self.layer = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.Linear(4, 2))
        self.layer.add_module("conv1", nn.Linear(2, 2))


OWN = Network().state_dict()


@pytest.mark.parametrize(
    "prefix",
    ["model.", "net.", "module.", "_orig_mod.", "backbone.", "model.module.", "module._orig_mod.", "_orig_mod.module.",
     "net._orig_mod.", "self.model.network.", "layer.", "conv1.", "module.module.", "a.b.c.d."],
)  # fmt: skip
@pytest.mark.parametrize("beside", [{}, {"loss.weight": 1, "model_ema.n": 2, "head.0.bias": 3}])
def test_a_prefix_of_all_names_is_taken_off(prefix, beside):
    state = {prefix + name: value for name, value in OWN.items()} | beside
    found = fitted(state, OWN, "weights.ckpt")
    assert found == OWN


def test_wrappers_names_inside_are_taken_out():
    state = {"net." + name.replace("layer.", "layer._orig_mod.module."): value for name, value in OWN.items()}
    state = {name.replace("conv1.", "_fsdp_wrapped_module.conv1."): value for name, value in state.items()}
    assert fitted(state, OWN, "weights.ckpt") == OWN


def test_names_that_fit_stay_as_they_are():
    state = {**OWN, "extra": 1, "model.conv1.weight": 2}
    assert fitted(state, OWN, "weights.ckpt") == state
    others = {"features.0.weight": 1, "features.0.bias": 2}
    assert fitted(others, others, "weights.ckpt") == others
    assert fitted({"module.a": 1, "b": 2}, ("module.a", "b"), "weights.ckpt") == {"module.a": 1, "b": 2}


def test_what_fits_nowhere_stays_for_the_message():
    state = {"encoder.weight": 1, "encoder.bias": 2}
    assert fitted(state, OWN, "weights.ckpt") == state


def test_a_network_that_is_there_twice_is_refused():
    state = {prefix + name: value for name, value in OWN.items() for prefix in ("model.", "model_ema.module.")}
    with pytest.raises(UserError, match=r"weights.ckpt holds the network 2 times, under model. and model_ema.module."):
        fitted(state, OWN, "weights.ckpt")


@pytest.mark.parametrize(
    "inside",
    [lambda s: {"state_dict": s, "epoch": 1}, lambda s: {"model": s, "optimizer": {"state": {}, "param_groups": []}},
     lambda s: {"net": s, "acc": 0.5}, lambda s: {"weights": s},
     lambda s: {"cfg": {"scale": torch.ones(1)}, "weights": s},
     lambda s: {**s, "head._extra_state": {"a": 1}}],
)  # fmt: skip
def test_a_state_dict_is_found_inside_a_checkpoint(tmp_path, inside):
    state = {"a.weight": torch.ones(2), "a.bias": torch.zeros(2)}
    torch.save(inside(state), tmp_path / "c.ckpt")
    assert state_dict.read(tmp_path / "c.ckpt").keys() == state.keys()
