"""3 x 3 convolutions of a frozen network with fewer products (Winograd 1980; Lavin & Gray 2016, section 4.1)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.fx.experimental.proxy_tensor import get_proxy_mode

_NARROW, _WIDE = 128, 256
"""Channels, of the narrower and the wider side, from which it pays: see `WinogradConvolution`."""
_LIFT = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0.0, 0.0, 1.0))
_REVERSED = (3, 1, 2, 0)
"""The lifted rows of a flipped kernel are those of the kernel in this order."""


def quicken(network: nn.Module) -> None:
    """Turn those 3 x 3 convolutions of ``network`` that gain from it into `WinogradConvolution`, in place.

    Only their class changes, as in `torch.nn.utils.parametrize`: names, weights and hooks stay.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _fits(module) and isinstance(module.weight, nn.Parameter):
            module.__class__ = WinogradConvolution


class WinogradConvolution(nn.Conv2d):
    """`torch.nn.Conv2d` with frozen weights, 16 products instead of 36 for each 2 x 2 of the output: F(2 x 2, 3 x 3).

    The RMS error relative to float64, of outputs and gradients with 256 and 512 channels, is 4e-7 to 7e-7; the direct
    convolution's is 6e-7 to 12e-7 in channels last, 2e-7 in torch's default memory format. Time of forward plus
    backward relative to the direct convolution (one thread of an AVX-512 CPU, channels last, one image or two; channels
    in and out, side): 256-256 56: 0.7; 256-512 28: 0.6; 512-512 28: 0.6; 512-512 14: 0.7; 128-256 56: 0.8; but 192-192
    16 and 128-128 112: 1.0, hence `_NARROW` and `_WIDE`. torch's own is used for odd sides, dtypes other than float32,
    other devices, and without oneDNN, whose matrix product takes half as long as `torch.mm` here. The lifted weights
    are stored beside the originals, 16 numbers for 9.
    """

    _kept: tuple[object, Tensor] | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Maps (n, in, h, w) to (n, out, h, w)."""
        if not _pays(self, input):
            return super().forward(input)
        result: Tensor = _Winograd.apply(input, self._lifted_once(), self.bias, False)
        return result

    def _lifted_once(self) -> Tensor:
        """G g G^T of the kernels g, (4, 4, out, in), computed again after they were loaded, moved or cast."""
        made_from = (self.weight.data_ptr(), self.weight._version, self.weight.dtype)
        if self._kept is None or self._kept[0] != made_from:
            with torch.inference_mode(False):  # inference tensors cannot be trained through
                lift = torch.tensor(_LIFT).to(self.weight)
                lifted = torch.einsum("ak,oikl,bl->aboi", lift, self.weight.detach(), lift)
                self._kept = made_from, lifted.contiguous()
        return self._kept[1]


class _Winograd(Function):
    """The convolution with lifted weights (4, 4, out, in); ``reverse``: its transpose, from outputs to inputs."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, lifted: Tensor, bias: Tensor | None, reverse: bool) -> Tensor:
        ctx.save_for_backward(lifted)
        ctx.reverse = reverse
        return _convolve(input, lifted, bias, reverse)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (lifted,) = ctx.saved_tensors
        return _Winograd.apply(gradient, lifted, None, not ctx.reverse), None, None, None


def _convolve(maps: Tensor, lifted: Tensor, bias: Tensor | None, reverse: bool) -> Tensor:
    n, _, h, w = maps.shape
    padded = F.pad(maps, (1, 1, 1, 1)).permute(0, 2, 3, 1)  # channels last: (n, h + 2, w + 2, in)
    products = []
    for i, rows in enumerate(_apart(padded, 1)):
        for j, tiles in enumerate(_apart(rows, 2)):  # (n, h / 2, w / 2, in)
            weight = lifted[_REVERSED[i], _REVERSED[j]].t() if reverse else lifted[i, j]
            own = bias if (i, j) == (1, 1) else None  # added to each output once
            product = torch.ops.mkldnn._linear_pointwise(tiles.flatten(0, 2), weight, own, "none", [], "")
            products.append(product.unflatten(0, tiles.shape[:3]))
    columns = [_together(*products[j::4]) for j in range(4)]
    result = torch.empty_like(maps[:, :1].expand(n, products[0].shape[-1], h, w), memory_format=torch.channels_last)
    places = result.permute(0, 2, 3, 1)
    for i in (0, 1):
        places[:, i::2, 0::2], places[:, i::2, 1::2] = _together(*(column[i] for column in columns))
    return result


def _apart(maps: Tensor, dim: int) -> tuple[Tensor, ...]:
    """B^T of the tiles: four combinations of four consecutive rows, starting at every other row."""
    a, b, c, d = maps.unfold(dim, 4, 2).unbind(-1)
    return a - c, b + c, c - b, b - d


def _together(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """A^T of the products: two rows of the result, written into ``a`` and ``b``."""
    return a.add_(b).add_(c), b.sub_(c).sub_(d)


def _fits(layer: nn.Conv2d) -> bool:
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    square = layer.kernel_size == (3, 3) and layer.padding in ((1, 1), "same")
    narrow, wide = sorted((layer.in_channels, layer.out_channels))
    return plain and square and narrow >= _NARROW and wide >= _WIDE


def _pays(layer: nn.Conv2d, input: Tensor) -> bool:
    if input.device.type != "cpu" or get_proxy_mode() is not None:  # a compiler has its own ways
        return False
    exact = input.dtype == layer.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    even = input.ndim == 4 and not (input.shape[2] % 2 or input.shape[3] % 2)
    there = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return exact and even and there and not layer.weight.requires_grad
