import pytest
import torch

from genviz.learning.distillation.agreement import Agreements


def test_what_agrees_is_the_teachers_first_class_among_the_students():
    agreements = Agreements(7, ["a", "b"])
    expected = torch.eye(7)[[0, 1, 2, 3]] + torch.arange(7) / 100
    scores = torch.stack([expected[0], expected[1], torch.arange(7.0), torch.arange(7.0, 0, -1)])
    agreements.add("b", scores[:2], expected[:2])
    agreements.add("b", scores[2:], expected[2:])
    agreements.add("a", expected, expected)
    taken = agreements.take()
    assert (taken["b/top1"], taken["b/top5"]) == (0.5, 1.0)  # 2 is fifth of 6 5 4 3 2; 3 is fourth of 0 1 2 3
    correlations = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(expected, scores, strict=True)]
    assert taken["b/correlation"] == pytest.approx(float(torch.stack(correlations).mean()))
    assert [float(taken[f"a/{name}"]) for name in ("top1", "top5", "correlation")] == pytest.approx([1, 1, 1])


def test_taking_begins_anew():
    agreements = Agreements(3, ["a"])
    scores = torch.eye(3)
    agreements.add("a", scores.flip(0), scores)
    agreements.take()
    agreements.add("a", scores, scores)
    assert agreements.take()["a/top1"] == 1


def test_scores_that_are_all_alike_correlate_with_nothing():
    agreements = Agreements(3, ["a"])
    agreements.add("a", torch.zeros(1, 3), torch.rand(1, 3))
    assert agreements.take()["a/correlation"] == 0
