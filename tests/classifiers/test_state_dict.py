import pytest
import torch
from safetensors.torch import save_file

from genviz.classifiers import state_dict
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
    assert list(state_dict.read(tmp_path / "weights.pth")) == ["a"]
