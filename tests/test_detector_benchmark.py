import importlib.util
import sys

import pytest
import torch
from conftest import ROOT


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("detector", ROOT / "benchmarks" / "detector.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["detector"] = module  # its builder is found by this name
    spec.loader.exec_module(module)
    yield module
    del sys.modules["detector"]


def test_a_scene_is_the_same_each_time_and_leaves_the_corner_free(benchmark):
    for seed in range(30):
        image, (boxes, labels) = benchmark.draw(seed, spared=52)
        assert torch.equal(image, benchmark.draw(seed, spared=52).image)
        assert image.shape == (3, 128, 128)
        assert 1 <= len(boxes) == len(labels) <= 4
        assert (boxes[:, :2] > 52).any(1).all()
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2:] <= 128).all()
        assert ((labels >= 1) & (labels <= 3)).all()


def test_the_patch_covers_the_corner_alone_and_has_a_gradient(benchmark):
    images, patch = torch.rand(2, 3, 128, 128), torch.rand(1, 3, 48, 48, requires_grad=True)
    pasted = benchmark.pasted(images, patch)
    assert torch.equal(pasted[:, :, :48, :48], patch.expand(2, -1, -1, -1))
    assert torch.equal(pasted[:, :, 48:], images[:, :, 48:])
    assert torch.equal(pasted[:, :, :, 48:], images[:, :, :, 48:])
    pasted.sum().backward()
    assert (patch.grad == 2).all()


def test_the_detector_can_be_trained_and_is_a_classifier(benchmark):
    from genviz.classifiers.detector import DetectorClassifier

    for norm in benchmark.NORMS:
        assert not benchmark.train_detector(norm, 1, 2).training
        classifier = DetectorClassifier(
            builder="detector:build", arguments={"norm": norm}, weights="random", labels=benchmark.CLASSES
        )
        assert classifier(torch.rand(1, 3, 128, 128), ["scores"])["scores"].shape == (1, 4)
