"""The networks that ``genviz fit`` trains: Réda & Xu's two small ones, and torchvision's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from genviz.classifiers import outline
from genviz.classifiers.sizes import size_of
from genviz.errors import UserError
from genviz.targets.labels import nearest

SMALL = ("conv", "vonc")
"""Réda & Xu's networks."""

_DENSE = 1024  # units of the first dense layer
_LONGEST = 3.0  # norm of the weights of each of them, in Conv


class SmallNetwork(nn.Sequential):
    """3x3 convolutions with ReLU, 2x2 max pooling and two dense layers; drawn as Keras draws (Glorot & Bengio 2010).

    Args:
        layers: all but the dense ones, which get the names fc4, relu4, fc5.
        classes: number of class scores.
        input_size: rows and columns of the input, in pixels.
        dropout: rate before fc4 (None: none) and before fc5.
        longest: the longest norm that the weights of a unit of fc4 may have; None: any.

    Raises:
        UserError: the input is too small.
    """

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        classes: int,
        input_size: Sequence[int],
        *,
        dropout: tuple[float | None, float],
        longest: float | None = None,
    ) -> None:
        layers["flatten"] = nn.Flatten()
        width = _flat(layers, input_size)
        if dropout[0] is not None:
            layers["drop_flatten"] = nn.Dropout(dropout[0])
        layers |= {"fc4": nn.Linear(width, _DENSE), "relu4": nn.ReLU(), "drop4": nn.Dropout(dropout[1])}
        layers["fc5"] = nn.Linear(_DENSE, classes)
        super().__init__(layers)
        self.longest = longest
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    @torch.no_grad()
    def constrain(self) -> None:
        """Shorten the weights of each unit of fc4 that are too long, after an update."""
        if self.longest is not None:
            dense = self.get_submodule("fc4")
            assert isinstance(dense, nn.Linear)
            length = dense.weight.norm(dim=1, keepdim=True)
            dense.weight.mul_((self.longest / length.clamp_min(1e-7)).clamp_max(1))


def conv(classes: int = 1000, input_size: Sequence[int] = (32, 32)) -> SmallNetwork:
    """Réda & Xu's Conv: 3,410,184 numbers with 1,000 classes and 32 x 32 pixels (Plotka 2017)."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for block, width in enumerate((32, 64, 128), 1):
        for number, before in enumerate((channels, width), 1):
            layers[f"conv{block}_{number}"] = nn.Conv2d(before, width, 3, padding=1)
            layers[f"relu{block}_{number}"] = nn.ReLU()
            if number == 1:
                layers[f"drop{block}"] = nn.Dropout(0.2)
        layers[f"pool{block}"] = nn.MaxPool2d(2)
        channels = width
    return SmallNetwork(layers, classes, input_size, dropout=(0.2, 0.2), longest=_LONGEST)


def vonc(classes: int = 1000, input_size: Sequence[int] = (32, 32)) -> SmallNetwork:
    """Réda & Xu's Vonc: 1,791,144 numbers with 1,000 classes and 32 x 32 pixels."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 3
    for block, widths in enumerate(((32, 64), (128,), (128,)), 1):
        for number, width in enumerate(widths, 1):
            layers[f"conv{block}_{number}"] = nn.Conv2d(channels, width, 3)
            layers[f"relu{block}_{number}"] = nn.ReLU()
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
        if block != 2:
            layers[f"drop{block}"] = nn.Dropout(0.25)
    return SmallNetwork(layers, classes, input_size, dropout=(None, 0.25))


def check_architecture(architecture: object) -> None:
    """Check that there is such a network.

    Raises:
        UserError: there is none.
    """
    known = (*SMALL, *outline.architectures())
    if architecture not in known:
        likely = nearest(str(architecture), known)
        near = f"; nearest: {', '.join(likely)}" if likely else ""
        raise UserError(f"network.architecture={architecture} is unknown; it takes conv, vonc, or torchvision's{near}")


def build(architecture: str, classes: int, input_size: Sequence[int]) -> nn.Module:
    """The network, with weights drawn at random.

    Raises:
        UserError: there is none of this name, or it cannot take pictures of this size.
    """
    check_architecture(architecture)
    size = size_of(tuple(input_size), "input_size")
    if architecture in SMALL:
        return (conv if architecture == "conv" else vonc)(classes, size)
    return outline.build(architecture, classes, size, initialize=True)


def empty(architecture: str, classes: int, input_size: Sequence[int]) -> nn.Module:
    """The same on the meta device.

    Raises:
        UserError: as for `build`.
    """
    check_architecture(architecture)
    size = size_of(tuple(input_size), "input_size")
    if architecture not in SMALL:
        return outline.without_weights(architecture, classes, size)
    with torch.device("meta"):
        return (conv if architecture == "conv" else vonc)(classes, size).eval()


def _flat(layers: OrderedDict[str, nn.Module], input_size: Sequence[int]) -> int:
    """How many numbers the convolutions make of an input."""
    rows, columns = input_size
    channels = 3
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d):
            lost = 2 * (1 - int(layer.padding[0]))
            rows, columns, channels = rows - lost, columns - lost, layer.out_channels
        elif isinstance(layer, nn.MaxPool2d):
            rows, columns = rows // 2, columns // 2
    if min(rows, columns) < 1:
        raise UserError(f"input_size={list(input_size)} is too small for the network; its own is 32")
    return rows * columns * channels
