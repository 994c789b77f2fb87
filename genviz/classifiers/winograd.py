"""3 x 3 convolutions of a frozen network with fewer products (Winograd 1980; Lavin & Gray 2016, section 4)."""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from genviz.classifiers.quick_convolution import QuickConvolution

_NARROWEST = 128
"""Channels, in and out, from which it pays: see `WinogradConvolution`."""
_FEWEST = {4: 256, 2: 64}
"""Positions of a map from which each size of tile is faster than the next smaller one, or than torch."""
_STRIP = 2**20
"""Numbers of a strip of tiles, 4 MiB in float32: few enough for the processor's cache, however large the maps are."""
_POINTS = {2: (1.0, -1.0), 4: (2**0.5, -(2**0.5), 0.5**0.5, -(0.5**0.5))}
"""Where the polynomials of `_tile` are evaluated, between 0 and infinity."""
_INVERSES = {2: (3, 1, 2, 0), 4: (5, 3, 4, 1, 2, 0)}
"""The positions, among all these points, of their inverses."""


class WinogradConvolution(QuickConvolution):
    """A 3 x 3 convolution with fewer products.

    F(4 x 4, 3 x 3) needs 36 products where the direct convolution needs 144; F(2 x 2, 3 x 3), for small maps, 16 of
    36. The RMS error relative to float64, of outputs and gradients with 128 to 512 channels, is 11e-7 to 16e-7 with
    the former and 4e-7 to 5e-7 with the latter; the direct convolution's is 6e-7 to 12e-7 in channels last, 2e-7 in
    torch's default memory format. Time of forward plus backward relative to the direct convolution (one thread of
    an AVX-512 CPU, channels last; channels in and out, side): 128-128 112: 0.7; 128-256 56: 0.58; 256-256 56:
    0.49; 512-512 28: 0.45; 512-512 14: 0.68; but 64-64 128: 1.0, hence `_NARROWEST`. The lifted weights are stored
    beside the originals, 36 or 16 numbers for 9, or both where maps of both kinds come.
    """

    _kept: tuple[object, dict[int, Tensor]] | None = None

    @staticmethod
    def suits(layer: nn.Conv2d) -> bool:
        """Whether it is a plain 3 x 3 convolution from many channels to many."""
        plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
        square = layer.kernel_size == (3, 3) and layer.padding in ((1, 1), "same")
        return plain and square and min(layer.in_channels, layer.out_channels) >= _NARROWEST

    def __getstate__(self) -> dict[str, Any]:
        """Without the lifted weights, which copies and files need not hold."""
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}

    def tile_size(self, input: Tensor) -> int:
        """m of the tiles that pay for these maps (n, in, h, w); 0: torch's own convolution does."""
        if not self.applies(input):
            return 0
        h, w = input.shape[2:]  # not of how many maps there are: a picture's result is the same alone and in a batch
        fitting = (size for size, fewest in _FEWEST.items() if h * w >= fewest and min(h, w) >= 2 * size)
        return next(fitting, 0)

    def forward(self, input: Tensor) -> Tensor:
        """Maps (n, in, h, w) to (n, out, h, w)."""
        if not (size := self.tile_size(input)):
            return super().forward(input)
        result: Tensor = _Winograd.apply(input, self._lifted_once(size), self.bias, size, False)
        return result

    def _lifted_once(self, size: int) -> Tensor:
        """G g G^T of the kernels g, (tile's inputs, in, out), computed again after they were loaded, moved or cast."""
        made_from = (self.weight.data_ptr(), self.weight._version, self.weight.dtype)
        if self._kept is None or self._kept[0] != made_from:
            self._kept = made_from, {}
        lifted = self._kept[1]
        if size not in lifted:
            with torch.inference_mode(False):  # inference tensors cannot be trained through
                lift = _TILES[size, False].lift.to(self.weight)
                kernels = torch.einsum("ak,oikl,bl->abio", lift, self.weight.detach(), lift)
                lifted[size] = kernels.flatten(0, 1).contiguous()
        return lifted[size]


class _Winograd(Function):
    """The convolution with lifted weights (tile's inputs, in, out); ``reverse``: its transpose, outputs to inputs."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, lifted: Tensor, bias: Tensor | None, size: int, reverse: bool) -> Tensor:
        ctx.save_for_backward(lifted)
        ctx.size, ctx.reverse = size, reverse
        with torch.autocast("cpu", enabled=False):  # it may be on when the gradient is computed
            return _convolve(input, lifted, bias, size, reverse)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (lifted,) = ctx.saved_tensors
        return _Winograd.apply(gradient, lifted, None, ctx.size, not ctx.reverse), None, None, None, None


class _Tile(NamedTuple):
    """The matrices of F(m x m, 3 x 3) of Lavin & Gray's equation 8: Y = A^T [(G g G^T) * (B^T d B)] A.

    Attributes:
        lift: G, (m + 2, 3).
        spread: the Kronecker square of B^T, for both products with B at once, ((m + 2)^2, (m + 2)^2).
        gather: that of A^T, (m^2, (m + 2)^2).
    """

    lift: Tensor
    spread: Tensor
    gather: Tensor


def _tile(size: int, reverse: bool) -> _Tile:
    """The matrices for m = ``size``, in float64; ``reverse``: for flipped kernels, with the same lifted weights.

    They are the transposes of those of Toom and Cook, which evaluate polynomials. The value of a flipped kernel at a
    point p is the kernel's own at 1 / p if the row of G is divided by the absolute value of p, so that only their order
    changes.
    """
    points = np.array(_POINTS[size])
    scale = np.array([1.0, *abs(points), 1.0])[:, None]

    def powers(count: int) -> npt.NDArray[np.float64]:
        """Of all points, (m + 2, count); those of infinity are 0, and 1 for the highest."""
        return np.vstack([np.vander([0.0, *points], count, increasing=True), np.eye(count)[-1:]])

    order = list(_INVERSES[size] if reverse else range(size + 2))
    spread, gather = (np.linalg.inv(powers(size + 2)).T * scale)[order], powers(size).T[:, order]
    return _Tile(*map(torch.from_numpy, (powers(3) / scale, np.kron(spread, spread), np.kron(gather, gather))))


_TILES = {(size, reverse): _tile(size, reverse) for size in _POINTS for reverse in (False, True)}


def _convolve(maps: Tensor, lifted: Tensor, bias: Tensor | None, size: int, reverse: bool) -> Tensor:
    n, _, h, w = maps.shape
    side, down, across = size + 2, -(-h // size), -(-w // size)  # down, across: tiles in a column, in a row
    lifted = lifted.transpose(1, 2) if reverse else lifted
    tile = _Tile(*(matrix.to(maps) for matrix in _TILES[size, reverse]))
    padded = F.pad(maps, (1, 1 + across * size - w, 1, 1 + down * size - h)).permute(0, 2, 3, 1)
    shape = n, lifted.shape[2], down * size, across * size
    result = torch.empty(shape, dtype=maps.dtype, device=maps.device, memory_format=torch.channels_last)
    places = result.permute(0, 2, 3, 1)
    together = max(1, _STRIP // (side**2 * across * max(lifted.shape[1:])))  # rows of tiles
    images, rows = max(1, together // down), min(together, down)
    for image, row in product(range(0, n, images), range(0, down, rows)):
        part = slice(image, image + images)
        strip = padded[part, row * size : (row + rows) * size + 2]
        tiles = strip.unfold(1, side, size).unfold(2, side, size).permute(4, 5, 0, 1, 2, 3)
        spread = torch.mm(tile.spread, tiles.reshape(side**2, -1)).view(side**2, -1, tiles.shape[-1])
        products = torch.bmm(spread, lifted)  # (a tile's inputs, tiles, out)
        outputs = torch.mm(tile.gather, products.flatten(1)).view(size, size, *tiles.shape[2:5], -1)
        ordered = outputs.permute(2, 3, 0, 4, 1, 5)
        written = places[part, row * size : (row + rows) * size].view(ordered.shape)
        torch.add(ordered, 0.0 if bias is None else bias, out=written)
    if result.shape[2:] == maps.shape[2:]:
        return result
    return result[:, :, :h, :w].clone(memory_format=torch.channels_last)  # no view: it may be changed in place
