import warnings
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch

from genviz.classifiers.tracing.class_scores import find_scores, said, take_scores
from genviz.errors import UserError


@dataclass
class Output:
    loss: torch.Tensor
    hidden: torch.Tensor
    scores: torch.Tensor


@dataclass(slots=True)
class Slotted:
    prediction: torch.Tensor


class Named(NamedTuple):
    features: torch.Tensor
    scores: torch.Tensor


FEATURES, SCORES = torch.rand(2, 9), torch.rand(2, 4)


@pytest.mark.parametrize(
    ("output", "path"),
    [(SCORES, ()), (SimpleNamespace(logits=SCORES, hidden=FEATURES), ("logits",)), ((SCORES,), (0,)),
     ({"features": FEATURES, "scores": SCORES}, ("scores",)), ({"maps": torch.rand(2, 3, 5, 5), "y": SCORES}, ("y",)),
     ([{"logits": SCORES}, FEATURES], (0, "logits")), ((torch.zeros(2, 4, dtype=torch.long), SCORES), (1,)),
     (SCORES[..., None, None], ()), (SCORES[:, 0], ()), (SCORES[:, None], ()),
     (Output(torch.ones(()), FEATURES, SCORES), ("scores",)), (SimpleNamespace(own=SCORES), ("own",)),
     (Slotted(SCORES), ("prediction",)), (Named(FEATURES, SCORES), ("scores",))],
)  # fmt: skip
def test_the_scores_are_found(output, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_scores(output, 2) == path
    assert take_scores(output, path, 2).ndim == 2


def test_among_several_those_with_as_many_as_there_are_classes_or_it_is_said():
    assert find_scores((FEATURES, SCORES), 2, 4) == (1,)
    with pytest.warns(UserWarning, match=r"returns part 0 \(n, 9\), part 1 \(n, 4\); part 0 is taken"):
        assert find_scores((FEATURES, SCORES), 2) == (0,)
    assert said((0, "logits")) == "part 0, logits"
    with pytest.raises(UserError, match="for 3 pictures"):
        take_scores((FEATURES, SCORES), (1,), 3)


def test_a_number_is_the_score_of_the_only_picture_unless_there_are_others():
    one = SCORES[:1]
    assert find_scores(one[0, 0], 1) == ()
    assert take_scores(one[:, :1].squeeze(), (), 1).shape == (1, 1)
    assert find_scores((one.mean(), one), 1) == (1,)
    with pytest.raises(UserError, match="not class scores"):
        find_scores(SCORES.mean(), 2)


@pytest.mark.parametrize(
    ("output", "says"),
    [(SCORES[:, :0], r"returns \(2, 0\)"), (torch.complex(SCORES, SCORES), r"complex numbers \(complex64\)"),
     (SCORES > 0, r"whole numbers, which have no gradient \(bool\)"), (SCORES.T, r"returns \(4, 2\)")],
)  # fmt: skip
def test_what_is_no_class_score_is_said(output, says):
    with pytest.raises(UserError, match=says):
        find_scores(output, 2)
