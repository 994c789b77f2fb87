"""Where a layer's activation is found in a network, and how it becomes (n, c, ...)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from genviz.classifiers.tracing.taps import INPUT
from genviz.classifiers.tracing.trace import pictures_first
from genviz.interfaces import Layer


class Place(NamedTuple):
    """A tap, and the order of its dimensions."""

    tap: str
    batch: int = 0
    """The dimension that counts the pictures."""
    axis: int | None = 1
    """The one that counts the channels, once the pictures are first; None if unknown."""

    @property
    def module(self) -> str:
        """The module's name, with the number of the call."""
        return self.tap.removesuffix(INPUT)

    def ordered(self, value: Tensor, count: int) -> Tensor:
        """The module's own output, of ``count`` pictures, as (n, c, ...)."""
        value = pictures_first(value, self.batch, count)
        return value if self.axis in (1, None) else value.movedim(self.axis or 1, 1)

    def restored(self, value: Tensor, like: Tensor) -> Tensor:
        """The inverse of `ordered`, in the shape of the module's own output."""
        value = value if self.axis in (1, None) else value.movedim(1, self.axis or 1)
        value = value.flatten(0, 1) if value.ndim > like.ndim else value
        return value.movedim(0, self.batch)


def place_of(layer: Layer) -> Place:
    """Where the output of ``layer`` is."""
    return Place(layer.module, layer.batch, layer.axis)


def input_place(layer: Layer, module: nn.Module) -> Place:
    """Where the input of ``layer``, computed by ``module``, is; in the same order, unless that weighs channels."""
    axis = layer.axis
    if isinstance(module, nn.Linear):
        axis = -1
    elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        axis = -1 - len(module.kernel_size)
    return Place(layer.module + INPUT, layer.batch, axis)
