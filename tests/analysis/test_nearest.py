from pathlib import Path

import torch

from genviz.analysis.feature_cache import Gallery
from genviz.analysis.nearest import nearest_pictures


def test_the_nearest_are_those_of_the_smallest_angle():
    features = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [-1.0, 0.0], [0.0, 0.0]])
    gallery = Gallery(Path(), list("abcde"), features, torch.zeros(5, 2), [])
    found = nearest_pictures(gallery, torch.tensor([10.0, 0.1]), 3)
    assert [(n.name, n.row) for n in found] == [("a", 0), ("c", 2), ("b", 1)]
    for near in found:
        expected = torch.cosine_similarity(features[near.row], torch.tensor([10.0, 0.1]), 0)
        assert abs(near.similarity - float(expected)) < 1e-6
    assert [n.name for n in nearest_pictures(gallery, torch.tensor([1.0, 0.0]), 99)] == ["a", "c", "b", "e", "d"]
