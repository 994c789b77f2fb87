import pytest
import torch

from genviz.training.precision import tf32


@pytest.mark.parametrize("allowed", [True, False])
def test_what_is_allowed_is_as_before_afterwards(allowed):
    def now():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = now()
    with pytest.raises(ZeroDivisionError), tf32(allowed):
        assert now() == (allowed, allowed)
        raise ZeroDivisionError
    assert now() == before
