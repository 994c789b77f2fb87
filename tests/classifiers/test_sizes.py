import numpy as np
import pytest
import torch
from odd_networks import plain

from genviz.analysis.visualization import visualize
from genviz.classifiers.from_module import from_module
from genviz.classifiers.outline import sketch
from genviz.classifiers.sizes import size_of
from genviz.errors import UserError


def test_a_size_is_a_side_or_rows_and_columns():
    assert (size_of(5), size_of([5, 7]), size_of((5, 7))) == ((5, 5), (5, 7), (5, 7))
    assert (size_of(np.int64(5)), size_of((np.int32(5), 7))) == ((5, 5), (5, 7))
    for wrong in (0, True, "7", [5], [5, 7, 9], [5, -7], [5, 7.0], None):
        with pytest.raises(UserError, match="a number of pixels, or two"):
            size_of(wrong)
    for large in (10**7, (10**6, 5), np.int64(20_000)):
        with pytest.raises(UserError, match="at most 16,384 pixels a side"):
            size_of(large)


def test_inputs_need_not_be_square():
    classifier = from_module(plain(), input_size=[12, 8])
    assert classifier.outline.input_size == (12, 8)
    assert classifier.outline.layers[0].shape == (8, 12, 8)
    assert classifier(torch.rand(1, 3, 30, 30), ["0"])["0"].shape == (1, 8, 12, 8)
    seen = visualize(classifier, "neuron:0:1:11:7", generator="fourier", updates=1, accelerator="cpu")
    assert seen.images.shape == (1, 3, 12, 8)
    assert sketch("squeezenet1_1", input_size=(64, 96)).layers[0].shape == (64, 31, 47)
    with pytest.raises(UserError, match=r"vit_b_16 takes square pictures alone, not classifier.input_size=\[64,32\]"):
        sketch("vit_b_16", input_size=(64, 32))
