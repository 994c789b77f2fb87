"""The networks of 2012 to 2014 with local response normalization: AlexNet, CaffeNet, VGG-F, VGG-M and VGG-S."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.interfaces import SCORES


class Norm(NamedTuple):
    """Local response normalization: x / (kappa + alpha * mean of x^2 over ``size`` neighbouring channels)^beta.

    That is Caffe's and torch's rule. MatConvNet has the sum for the mean, so its alpha is ``size`` times smaller.
    Channels beyond the first and the last count as 0.
    """

    size: int
    alpha: float
    beta: float
    kappa: float

    @classmethod
    def matconvnet(cls, size: float, kappa: float, alpha: float, beta: float) -> Norm:
        """From MatConvNet's ``param``, in its order and by its rule."""
        return cls(int(size), alpha * int(size), beta, kappa)

    @property
    def module(self) -> nn.LocalResponseNorm:
        """The layer."""
        return nn.LocalResponseNorm(self.size, self.alpha, self.beta, self.kappa)


class Conv(NamedTuple):
    """A convolution and its ReLU."""

    name: str
    channels: int
    side: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


class Pool(NamedTuple):
    """Maximum pooling.

    ``ceil``: the last window may end outside, which Caffe always allows, and MatConvNet where it pads by ``[0 1 0 1]``.
    """

    name: str
    side: int
    stride: int
    ceil: bool


class Recipe(NamedTuple):
    """A network: what it takes, and its layers below the class scores."""

    input_size: int
    """The side of its input, in pixels."""

    norm: Norm
    """As trained; a file of weights may say another."""

    layers: tuple[Conv | Pool | str, ...]
    """In their order; a word is the name of a normalization."""


def _dense(side: int, channels: int = 4096) -> tuple[Conv, Conv]:
    """fc6 and fc7, as convolutions over all of pool5."""
    return Conv("fc6", channels, side), Conv("fc7", channels, 1)


def _alexnet(*, pool_first: bool) -> Recipe:
    """Two towers as groups (Krizhevsky et al. 2012) in Caffe's form, whose CaffeNet pools before it normalizes."""

    def ends(number: int) -> tuple[Pool | str, ...]:
        both = (f"norm{number}", Pool(f"pool{number}", 3, 2, ceil=True))
        return both[::-1] if pool_first else both

    return Recipe(
        227,
        Norm(5, 1e-4, 0.75, 1.0),
        (
            *(Conv("conv1", 96, 11, 4), *ends(1)),
            *(Conv("conv2", 256, 5, 1, 2, 2), *ends(2)),
            *(Conv("conv3", 384, 3, 1, 1), Conv("conv4", 384, 3, 1, 1, 2), Conv("conv5", 256, 3, 1, 1, 2)),
            *(Pool("pool5", 3, 2, ceil=True), *_dense(6)),
        ),
    )


_CHATFIELD = Norm(5, 5e-4, 0.75, 2.0)
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "alexnet_caffe": _alexnet(pool_first=False),
        "caffenet": _alexnet(pool_first=True),
        "vgg_f": Recipe(
            224,
            _CHATFIELD,
            (
                *(Conv("conv1", 64, 11, 4), "norm1", Pool("pool1", 3, 2, ceil=True)),
                *(Conv("conv2", 256, 5, 1, 2), "norm2", Pool("pool2", 3, 2, ceil=False)),
                *(Conv("conv3", 256, 3, 1, 1), Conv("conv4", 256, 3, 1, 1), Conv("conv5", 256, 3, 1, 1)),
                *(Pool("pool5", 3, 2, ceil=False), *_dense(6)),
            ),
        ),
        "vgg_m": Recipe(
            224,
            _CHATFIELD,
            (
                *(Conv("conv1", 96, 7, 2), "norm1", Pool("pool1", 3, 2, ceil=False)),
                *(Conv("conv2", 256, 5, 2, 1), "norm2", Pool("pool2", 3, 2, ceil=True)),
                *(Conv("conv3", 512, 3, 1, 1), Conv("conv4", 512, 3, 1, 1), Conv("conv5", 512, 3, 1, 1)),
                *(Pool("pool5", 3, 2, ceil=False), *_dense(6)),
            ),
        ),
        "vgg_s": Recipe(
            224,
            _CHATFIELD,
            (
                *(Conv("conv1", 96, 7, 2), "norm1", Pool("pool1", 3, 3, ceil=True)),
                *(Conv("conv2", 256, 5, 1, 0), Pool("pool2", 2, 2, ceil=True)),
                *(Conv("conv3", 512, 3, 1, 1), Conv("conv4", 512, 3, 1, 1), Conv("conv5", 512, 3, 1, 1)),
                *(Pool("pool5", 3, 3, ceil=True), *_dense(6)),
            ),
        ),
    }
)
"""Krizhevsky et al. 2012 in the form that Caffe ships, CaffeNet, and Chatfield et al. 2014 (Table 1)."""


class ClassicNetwork(nn.Sequential):
    """A `Recipe` with the papers' layer names: conv1, relu1, norm1, pool1, ... fc6, relu6, fc7, relu7, fc8.

    Dense layers are convolutions over all of pool5, with the same numbers (Mahendran & Vedaldi 2016, Tables 1 and 2);
    of larger pictures, the class scores are averaged over positions. Dropout is left out.

    Args:
        recipe: its layers.
        classes: number of class scores.
        norms: by layer name, for those that differ from the recipe's.
    """

    def __init__(self, recipe: Recipe, classes: int = 1000, norms: Mapping[str, Norm] | None = None) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for layer in recipe.layers:
            if isinstance(layer, str):
                layers[layer] = (norms or {}).get(layer, recipe.norm).module
            elif isinstance(layer, Pool):
                layers[layer.name] = nn.MaxPool2d(layer.side, layer.stride, ceil_mode=layer.ceil)
            else:
                name, width, side, *others = layer
                kind = WholeConvolution if name.startswith("fc") else nn.Conv2d
                layers[name] = kind(channels, width, side, stride=others[0], padding=others[1], groups=others[2])
                layers[f"relu{name.lstrip('convf')}"] = nn.ReLU()
                channels = width
        layers["fc8"] = WholeConvolution(channels, classes, 1)
        layers[SCORES] = _Mean()
        super().__init__(layers)


class WholeConvolution(nn.Conv2d):
    """`torch.nn.Conv2d` that is a matrix product where its kernel covers the input, which is what dense layers do.

    torch's convolution rearranges all of its weights each time. fc6 of VGG-M and AlexNet, forward plus backward of one
    picture, takes 0.05 to 0.1 of its time, the whole network 0.2 to 0.4 (one thread of an AVX-512 CPU).
    """

    def forward(self, input: Tensor) -> Tensor:
        """Maps (n, in, h, w) to (n, out, h', w')."""
        if input.shape[2:] != self.weight.shape[2:]:
            return super().forward(input)
        last = self.weight.is_contiguous(memory_format=torch.channels_last)
        order = (0, 2, 3, 1) if last else (0, 1, 2, 3)  # in which the weights lie, so that they need not be copied
        flat = F.linear(input.permute(order).flatten(1), self.weight.permute(order).flatten(1), self.bias)
        return flat[:, :, None, None]


class _Mean(nn.Module):
    """The mean over positions: (n, c, h, w) -> (n, c)."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps.mean((2, 3))
