import subprocess
import sys

import pytest
import torch

from genviz.training.configuration import compose
from genviz.training.precision import choose, quickest, tf32

CARD, CPU = torch.device("cuda"), torch.device("cpu")


def now():
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32


@pytest.fixture(params=["highest", "high", "medium"])
def chosen(request):
    """A user's own precision."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(request.param)
    yield request.param
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("allowed", [True, False])
def test_what_is_allowed_is_as_before_afterwards(chosen, allowed):
    before = now()
    with pytest.raises(ZeroDivisionError), tf32(allowed, CARD):
        assert now() == ("high" if allowed else "highest", allowed)
        raise ZeroDivisionError
    assert now() == before
    assert before[0] == chosen


@pytest.mark.parametrize("device", [CPU, *([] if torch.cuda.is_available() else [None])])
@pytest.mark.parametrize("allowed", [True, False])
def test_on_a_cpu_nothing_is_set(chosen, allowed, device):
    before = now()
    with tf32(allowed, device):
        assert now() == before
    assert now() == before
    assert before[0] == chosen


@pytest.mark.parametrize("own", [*(pytest.param(way, marks=pytest.mark.slow) for way in ("highest", "high")), "medium"])
def test_a_picture_leaves_the_users_precision_as_it_is(own, tmp_path):
    """In a process of its own: what an older interface has set stays in torch."""
    code = f"""
import genviz, torch
torch.set_float32_matmul_precision("{own}")
genviz.visualize("small", "class:harmonica", updates=1, accelerator="cpu")
print(torch.get_float32_matmul_precision())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, [own]), done.stderr


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, "32-true"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"amx_bf16": True}, "bf16-mixed"),
        ({"architecture": "arm64", "bf16": True}, "bf16-mixed"),
        ({"architecture": "arm64", "bf16": False}, "32-true"),
        ({}, "32-true"),
    ],
)
def test_a_cpu_computes_in_bfloat16_only_if_it_has_it(monkeypatch, abilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities, raising=False)
    assert quickest("cpu") == expected


def test_a_torch_that_cannot_tell_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert quickest("cpu") == "32-true"


@pytest.mark.parametrize("accelerator", ["auto", "gpu", "cuda"])
@pytest.mark.parametrize(("has_it", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_a_card_that_emulates_bfloat16_computes_in_float32(monkeypatch, accelerator, has_it, expected):
    def supported(including_emulation=True):
        return has_it or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert quickest(accelerator) == expected


@pytest.mark.parametrize("name", ["pretrain", "distill"])
def test_trainings_on_pictures_choose_their_precision(monkeypatch, name):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    config = compose(name, ["data.root=photos", "trainer.accelerator=cpu"])
    choose(config)
    assert config.trainer.precision == "bf16-mixed"


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_a_precision_that_is_named_stays(precision):
    config = compose("pretrain", ["data.root=photos", f"trainer.precision={precision}"])
    choose(config)
    assert config.trainer.precision == precision
