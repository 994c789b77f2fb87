import pytest
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


def test_likeness():
    maps = torch.rand(32, 32)
    assert likeness(maps, 2 * maps + 1) == pytest.approx((1, 1), abs=1e-3)
    rank, similarity = likeness(maps, torch.rand(32, 32))
    assert abs(rank) < 0.2
    assert similarity < 0.3
    assert likeness(maps, torch.zeros(32, 32)) == (0, 0)


def test_a_network_without_weights_is_one_line(classifier):
    for module in (classifier.conv, classifier.head):
        module._parameters.clear()
    with pytest.raises(UserError, match="no weights"):
        randomized(classifier, 1)
