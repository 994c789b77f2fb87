"""Nearest upsampling and a convolution in one layer, without redundant products."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.fx.experimental.proxy_tensor import get_proxy_mode

from genviz.generators.frozen_convolution import FrozenConvolution

_POSITIONS = 128
"""Positions of a map, h w, from which rotating trained weights pays: see `UpsampledConvolution`. Independent of the
batch size, so that an image does not depend on others in its batch."""


class Upsample(nn.Upsample):
    """A placeholder for an upsampling by 2 that the next layer performs."""

    def __init__(self) -> None:
        super().__init__(scale_factor=2)

    def forward(self, input: Tensor) -> Tensor:
        """Return maps (n, c, h, w) unchanged."""
        return input


class UpsampledConvolution(nn.Conv2d):
    """`torch.nn.Upsample(scale_factor=2)` followed by a `torch.nn.Conv2d` with the same parameters.

    Nearest upsampling inserts zeros between the pixels and sums each 2 x 2. The convolution can come before the sums,
    as a transposed convolution of stride 2 with the kernel rotated by 180 degrees, which skips the zeros: a quarter of
    the products, in the gradients too, and the same result up to rounding. (Kernels of summed weights, one for each of
    the four positions, leave 4 of 9 and 6.25 of 16.)

    It pays from about 11 x 11 positions, whatever the number of channels; below, rotating the weights takes longer.
    Time of forward plus backward relative to the two layers (one thread of an AVX-512 CPU, float32, channels last;
    channels in and out, kernel, side of the input): 128-512 k2 5: 1.2; 512-256 k3 9: 1.1, 11: 0.90, 14: 0.70; 256-256
    k3 16: 0.54; 256-128 k3 30: 0.36; 128-128 k4 11: 1.0, 58: 0.31; 128-3 k3 113: 0.36; 128-64 k3 113: 0.44. In bfloat16
    it took up to 4.7 times as long, and other devices have not been measured: there the two layers are run as they are.

    For stride and dilation 1 and no padding.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (n, c, h, w) to (n, width, 2 h - k + 1, 2 w - k + 1) for a kernel of side k."""
        if not _pays(self, input) or input.shape[2] * input.shape[3] < _POSITIONS:
            return super().forward(F.interpolate(input, scale_factor=2.0))
        bias = None if self.bias is None else self.bias / 4  # four terms are summed
        between = F.conv_transpose2d(
            input, _turned(self.weight, self.groups), bias, 2, _padding(self), groups=self.groups
        )
        result: Tensor = _Sums.apply(between)
        return result


class FrozenUpsampledConvolution(FrozenConvolution):
    """`UpsampledConvolution` with frozen weights: they are rotated once, and nothing is stored for their gradients.

    It pays at any size: 128-512 k2 5: 0.48; 512-256 k3 9: 0.53; 256-256 k3 16: 0.43; 128-128 k4 5: 0.77, 58: 0.30.
    """

    _kept: tuple[object, Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Maps (n, c, h, w) to (n, width, 2 h - k + 1, 2 w - k + 1) for a kernel of side k."""
        if not _pays(self, input):
            return super().forward(F.interpolate(input, scale_factor=2.0))
        bias = None if self.bias is None else self.bias / 4
        result: Tensor = _Sums.apply(_Transposed.apply(input, self._turned_once(), bias, _padding(self), self.groups))
        return result

    def _turned_once(self) -> Tensor:
        """The rotated weights, computed again after the weights were loaded, moved or cast."""
        made_from = (self.weight.data_ptr(), self.weight._version, self.weight.dtype)
        if self._kept is None or self._kept[0] != made_from:
            with torch.inference_mode(False):  # inference tensors cannot be trained through
                self._kept = made_from, _turned(self.weight.detach(), self.groups)
        return self._kept[1]


class _Transposed(Function):
    """A transposed convolution of stride 2 with a gradient for its input only."""

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...], groups: int
    ) -> Tensor:
        ctx.padding, ctx.groups = padding, groups
        ctx.save_for_backward(weight)
        return F.conv_transpose2d(input, weight, bias, 2, padding, groups=groups)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        return F.conv2d(gradient, weight, None, 2, ctx.padding, groups=ctx.groups), None, None, None, None


class _Sums(Function):
    """The sum of each 2 x 2: maps (n, c, h, w) to (n, c, h - 1, w - 1); torch's own would store its input."""

    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, 2, 1, divisor_override=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return F.avg_pool2d(gradient, 2, 1, padding=1, divisor_override=1)


def _pays(layer: nn.Conv2d, input: Tensor) -> bool:
    if input.device.type != "cpu" or get_proxy_mode() is not None:  # a compiler has its own ways
        return False
    full = input.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
    return full and min(layer.kernel_size) > 1


def _padding(layer: nn.Conv2d) -> tuple[int, ...]:
    """The border of the transposed convolution beyond the sums of a `valid` one."""
    return tuple(side - 2 for side in layer.kernel_size)


def _turned(weight: Tensor, groups: int) -> Tensor:
    """Weights (groups * out, in, k, k) rotated for a transposed convolution, (groups * in, out, k, k)."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
