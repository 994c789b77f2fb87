import numpy as np
import pytest
import scipy.stats
import torch

import genviz
from genviz.attribution.randomization import likeness, randomized
from genviz.errors import UserError


def weights(classifier):
    return {name: value.clone() for name, value in classifier.named_parameters()}


def test_from_the_class_scores_down():
    classifier = genviz.load_classifier("small", input_size=64)
    before = weights(classifier)
    half, whole = (weights(randomized(classifier, share)) for share in (0.5, 1.0))
    assert all(torch.equal(value, before[name]) for name, value in classifier.named_parameters())
    changed = [name for name in before if not torch.equal(half[name], before[name])]
    wide = [name for name in before if before[name].ndim > 1]
    assert 0 < len(changed) < len(wide)
    assert all(not torch.equal(whole[name], before[name]) for name in wide)
    first, last = wide[0], [name for name in changed if name in wide][-1]
    assert torch.equal(half[first], before[first])
    torch.testing.assert_close(half[last].square().mean(), before[last].square().mean(), rtol=0.1, atol=0)


def test_from_the_target_down():
    classifier = genviz.load_classifier("small", input_size=64)
    before = weights(classifier)
    for share, expected in ((1.0, {"conv1_1", "conv2_1"}), (0.5, {"conv2_1"}), (0.1, {"conv2_1"})):
        after = weights(randomized(classifier, share, below=("relu2_1",)))
        changed = {name for name in before if before[name].ndim > 1 and not torch.equal(after[name], before[name])}
        modules = {layer.module: layer.name for layer in classifier.outline.layers}
        assert {modules[name.removeprefix("network.").removesuffix(".weight")] for name in changed} == expected


def test_likeness():
    maps = torch.rand(32, 32)
    assert likeness(maps, 2 * maps + 1) == pytest.approx(1)
    assert likeness(maps, -maps) == pytest.approx(-1)
    assert likeness(maps, torch.zeros(32, 32)) == 0
    few = (maps + torch.rand(32, 32)).round()  # with ties
    ranks = [scipy.stats.rankdata(one) for one in (maps, few)]
    assert likeness(maps, few) == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_unrelated_maps_with_a_few_large_values_are_not_alike():
    first, second = (torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0)) ** 5).unbind()
    assert abs(likeness(first, second)) < 0.05


def test_a_network_without_weights_is_one_line(classifier):
    for module in (classifier.conv, classifier.head):
        module._parameters.clear()
    with pytest.raises(UserError, match="no weights"):
        randomized(classifier, 1)
