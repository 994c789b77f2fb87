import math

import pytest
from omegaconf import OmegaConf

from genviz.adversarial.examples.settings import norm_of, size_of
from genviz.errors import UserError


@pytest.mark.parametrize(
    ("value", "size"), [("8/255", 8 / 255), ("8 / 255", 8 / 255), (0.007, 0.007), ("0.5", 0.5), (1, 1.0), ("min", None)]
)
def test_epsilon_is_a_number_or_a_fraction(value, size):
    assert size_of(OmegaConf.create({"epsilon": value, "norm": "linf"}), "epsilon") == size


@pytest.mark.parametrize("value", [0, -1, "1/0", "a", "nan", "1.1", "8/255/2", math.inf, []])
def test_anything_else_is_one_line(value):
    with pytest.raises(UserError, match="must be a number above 0, at most 1, such as 8/255"):
        size_of(OmegaConf.create({"epsilon": value, "norm": "linf"}), "epsilon")


def test_a_euclidean_norm_may_be_above_1():
    assert size_of(OmegaConf.create({"step": 3, "norm": "l2"}), "step") == 3.0
    with pytest.raises(UserError, match="norm=l1 must be linf or l2"):
        norm_of(OmegaConf.create({"norm": "l1"}))
