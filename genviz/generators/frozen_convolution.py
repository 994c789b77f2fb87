"""A convolution that stores nothing for the gradient of its frozen weights."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input


class FrozenConvolution(nn.Conv2d):
    """`torch.nn.Conv2d` with a gradient for its input only.

    torch's own stores the input for the weights' gradient even if they need none: in a decoder, where nothing else
    needs it, more than half of the activations' memory. For stride and dilation 1 and no padding.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Convolve maps (n, c, h, w)."""
        result: Tensor = _Convolve.apply(input, self.weight, self.bias, self.groups)
        return result


class _Convolve(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        result = F.conv2d(input, weight, bias, groups=groups)
        ctx.shape, ctx.dtype, ctx.groups = input.shape, input.dtype, groups
        ctx.save_for_backward(weight.to(result.dtype))  # under autocast, the weights that were used
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        return conv2d_input(ctx.shape, weight, gradient, groups=ctx.groups).to(ctx.dtype), None, None, None
