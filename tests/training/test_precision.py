import subprocess
import sys

import pytest
import torch

from genviz.training.precision import tf32

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


@pytest.mark.parametrize("own", ["highest", "high", "medium"])
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
