"""A small plain network in VGG's style: 3x3 convolutions, ReLU, max pooling, and ReLU on the class scores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from genviz.errors import UserError

WIDTHS = ((24,), (48,), (96, 128), (192, 192), (192, 320))
"""Channels of each convolution, block by block: 1.9 million weights, 3.9 MB in half precision."""


class PlainNetwork(nn.Sequential):
    """Blocks of 3x3 convolutions (Simonyan & Zisserman 2014), then class scores per position, rectified and averaged.

    Its modules have the papers' names: conv1_1, relu1_1, pool1, ... fc8, relu8, pool8. ``fc8`` scores each position of
    the last map (Lin et al. 2013), which saves the few weights for the features. It takes any input of 16 pixels or
    more.

    Args:
        widths: channels of each convolution, block by block, with 2x2 max pooling between blocks.
        classes: number of class scores.
        batch_norm: add one between each convolution and its ReLU, for training; `folded` removes them.
    """

    def __init__(
        self, widths: Sequence[Sequence[int]] = WIDTHS, classes: int = 1000, *, batch_norm: bool = False
    ) -> None:
        if not widths or not all(len(block) and all(width > 0 for width in block) for block in widths):
            raise UserError(
                f"widths={list(widths)} must be the channels of each convolution, by block, as in [[24],[48]]"
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for block, block_widths in enumerate(widths, 1):
            if block > 1:
                layers[f"pool{block - 1}"] = nn.MaxPool2d(2)
            for number, width in enumerate(block_widths, 1):
                place = f"{block}_{number}"
                layers[f"conv{place}"] = nn.Conv2d(channels, width, 3, padding=1, bias=not batch_norm)
                if batch_norm:
                    layers[f"bn{place}"] = nn.BatchNorm2d(width)
                layers[f"relu{place}"] = nn.ReLU(inplace=True)
                channels = width
        layers["fc8"] = nn.Conv2d(channels, classes, 1)
        layers["relu8"] = nn.ReLU()
        layers["pool8"] = nn.AdaptiveAvgPool2d(1)
        layers["scores"] = nn.Flatten()
        super().__init__(layers)
        self.widths, self.classes = tuple(tuple(block) for block in widths), classes

    @torch.no_grad()
    def folded(self) -> PlainNetwork:
        """A copy in eval mode, with the batch norms' running statistics folded into the convolutions."""
        plain = PlainNetwork(self.widths, self.classes).eval()
        layers = dict(self.named_children())
        for name, layer in plain.named_children():
            if isinstance(layer, nn.Conv2d):
                trained = layers[name]
                norm = layers.get(name.replace("conv", "bn"))
                assert isinstance(trained, nn.Conv2d)
                if isinstance(norm, nn.BatchNorm2d):
                    trained = fuse_conv_bn_eval(deepcopy(trained).eval(), deepcopy(norm).eval())
                layer.load_state_dict(trained.state_dict())
        return plain
