import numpy as np
import pytest
import torch
from conftest import TinyClassifier
from drawn_blocks import blocks
from skimage.color import rgb2gray

from genviz.images.pictures import resize
from genviz.matching.comparers import ByFeatures, ByWords, fitting, grey
from genviz.retrieval.features import Kept

PICTURES = [blocks(seed, 48) for seed in range(3)]


def test_a_picture_is_resized_as_genviz_resizes_and_then_grey():
    image = torch.from_numpy(PICTURES[0]).permute(2, 0, 1)[None].float() / 255
    expected = resize(image, (32, 32))[0].permute(1, 2, 0).numpy()
    assert np.abs(fitting(PICTURES[0], (32, 32)) / 255 - expected).max() < 0.5 / 255 + 1e-6
    assert np.abs(grey(PICTURES[0], 32) - rgb2gray(expected)).max() < 1 / 255
    assert (grey(PICTURES[0], None) == rgb2gray(PICTURES[0])).all()
    assert fitting(PICTURES[0], (48, 48)) is PICTURES[0]


def test_features_are_compared_by_the_cosine():
    classifier = TinyClassifier()
    comparer = ByFeatures(classifier, Kept("relu1"))
    seen = comparer.look(PICTURES)
    images = torch.stack([torch.from_numpy(p).permute(2, 0, 1).float() / 255 for p in PICTURES])
    relu = classifier(images, ["relu1"])["relu1"].mean((2, 3))
    expected = torch.nn.functional.cosine_similarity(relu[:, None], relu[None], dim=2)
    assert np.allclose(comparer.scores(seen, seen), expected.numpy(), atol=1e-3)


def test_words_are_compared_by_the_cosine():
    comparer = ByWords(PICTURES, 64, count=5)
    seen = comparer.look([*PICTURES, np.full((48, 48, 3), 7, np.uint8)])
    assert seen[3] is None
    scores = comparer.scores(seen[:3], seen[:3])
    assert np.diag(scores) == pytest.approx([1, 1, 1])
    assert np.allclose(scores, scores.T)
