"""Batch normalization over every process of a training, on any device."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as processes
from torch import Tensor, nn
from torch.autograd import Function


class BatchNorm(nn.BatchNorm2d):
    """Batch normalization over the batches of all processes together (Ioffe & Szegedy 2015).

    Two processes with half a batch each then train like one with the whole. torch's own `SyncBatchNorm` needs GPUs.
    With one process, and in ``eval`` mode, this is `torch.nn.BatchNorm2d`; the state dict is always the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalize values (n, c, h, w)."""
        together = processes.get_world_size() if processes.is_available() and processes.is_initialized() else 1
        if not self.training or together == 1:
            return super().forward(input)
        values = input.to(self.weight.dtype)
        count = values.numel() // values.shape[1] * together
        mean = _sum(values.sum((0, 2, 3))) / count
        centred = values - mean.view(-1, 1, 1)
        variance = _sum(centred.square().sum((0, 2, 3))) / count
        if self.track_running_stats:
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            assert self.momentum is not None
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)).to(input.dtype)


class _Sum(Function):
    """The sum over all processes; the gradient is summed too, as each process has a part of the loss."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _reduced(own)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _reduced(gradient)


def _sum(own: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(own)
    return total


def _reduced(own: Tensor) -> Tensor:
    total = own.clone().contiguous()
    processes.all_reduce(total)
    return total
