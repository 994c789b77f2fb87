import warnings

import pytest
import torch
import torch.utils.checkpoint
from odd_networks import Odd, plain

from genviz.classifiers.from_module import from_module


@pytest.mark.parametrize("reentrant", [True, False])
def test_layers_that_are_recomputed_have_gradients(reentrant):
    def does(net, x):
        return net.end(torch.utils.checkpoint.checkpoint(net.begin, x, use_reentrant=reentrant))

    network = Odd(does, begin=plain()[:3], end=plain()[3:])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # that no gradients are computed
        classifier = from_module(network, input_size=8)
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    before = torch.utils.checkpoint.CheckpointFunction
    for layers in (["begin.0"], ["begin.1", "end.3", "scores"], ["scores"]):
        images.grad = None
        sum(value.sum() for value in classifier(images, layers).values()).backward()
        assert images.grad.abs().sum() > 0
    assert torch.utils.checkpoint.CheckpointFunction is before
