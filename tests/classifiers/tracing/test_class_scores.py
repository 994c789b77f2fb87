import warnings
from types import SimpleNamespace

import pytest
import torch

from genviz.classifiers.tracing.class_scores import find_scores, said, take_scores
from genviz.errors import UserError

FEATURES, SCORES = torch.rand(2, 9), torch.rand(2, 4)


@pytest.mark.parametrize(
    ("output", "path"),
    [(SCORES, ()), (SimpleNamespace(logits=SCORES, hidden=FEATURES), ("logits",)), ((SCORES,), (0,)),
     ({"features": FEATURES, "scores": SCORES}, ("scores",)), ({"maps": torch.rand(2, 3, 5, 5), "y": SCORES}, ("y",)),
     ([{"logits": SCORES}, FEATURES], (0, "logits")), ((torch.zeros(2, 4, dtype=torch.long), SCORES), (1,)),
     (SCORES[..., None, None], ()), (SCORES[:, 0], ())],
)  # fmt: skip
def test_the_scores_are_found(output, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_scores(output, 2) == path
    assert take_scores(output, path, 2).ndim == 2


def test_among_several_those_with_as_many_as_there_are_classes_or_it_is_said():
    assert find_scores((FEATURES, SCORES), 2, 4) == (1,)
    with pytest.warns(UserWarning, match=r"part 0 is taken .* part 0 \(n, 9\), part 1 \(n, 4\)"):
        assert find_scores((FEATURES, SCORES), 2) == (0,)
    assert said((0, "logits")) == "part 0, logits"
    with pytest.raises(UserError, match="for 3 pictures"):
        take_scores((FEATURES, SCORES), (1,), 3)
