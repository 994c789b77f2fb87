"""Two processes with half a batch each normalize as one does with the whole."""

import pytest
import torch
import torch.distributed as processes
import torch.multiprocessing as multiprocessing
from torch import nn

from genviz.learning.pretraining.batch_norm import BatchNorm

torch.manual_seed(0)
IMAGES = torch.randn(6, 3, 4, 5, dtype=torch.double) * 3 + 10
WEIGHTS = torch.randn(6, 3, 4, 5, dtype=torch.double)


def normalized(norm, images, weights):
    """The output, and the gradients of a loss in which each number has a weight of its own."""
    images = images.clone().requires_grad_()
    out = norm(images)
    (out * weights).sum().backward()
    return out.detach(), images.grad, norm.weight.grad, norm.bias.grad


def half(rank, folder):
    torch.set_num_threads(1)
    processes.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    norm = BatchNorm(3, 1e-3, 0.5).double()
    part = slice(3 * rank, 3 * rank + 3)
    results = normalized(norm, IMAGES[part], WEIGHTS[part])
    torch.save((*results, norm.running_mean, norm.running_var), f"{folder}/{rank}.pt")
    processes.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    folder = tmp_path_factory.mktemp("halves")
    multiprocessing.spawn(half, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_two_processes_are_as_one(halves):
    norm = nn.BatchNorm2d(3, 1e-3, 0.5).double()
    out, images, weight, bias = normalized(norm, IMAGES, WEIGHTS)
    for whole, place in ((out, 0), (images, 1)):
        torch.testing.assert_close(torch.cat([result[place] for result in halves]), whole)
    for whole, place in ((weight, 2), (bias, 3)):  # each has its part of the sum
        torch.testing.assert_close(halves[0][place] + halves[1][place], whole)
    for result in halves:
        torch.testing.assert_close(result[4], norm.running_mean)
        torch.testing.assert_close(result[5], norm.running_var)


def test_one_process_is_torchs():
    ours, theirs = BatchNorm(3, 1e-3, 0.5).double(), nn.BatchNorm2d(3, 1e-3, 0.5).double()
    for one, other in zip(normalized(ours, IMAGES, WEIGHTS), normalized(theirs, IMAGES, WEIGHTS), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
