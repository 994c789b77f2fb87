"""What a published network's file says: weights by layer name, normalizations, and the input space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from tqdm.auto import tqdm

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.input_space import InputSpace

WEIGHT, BIAS = "weight", "bias"
_PATIENCE = 2.0  # seconds before a bar appears


class Contents(NamedTuple):
    """The contents of a file of Caffe's or MatConvNet's."""

    state: dict[str, Tensor]
    """``conv1.weight``, ``conv1.bias``, ... ``fc8.bias``, float32; kernels (out, in, rows, columns)."""

    order: tuple[str, ...] = ()
    """The names of all layers in the file's order."""

    norms: Mapping[str, Norm] = {}
    """The settings of the local response normalizations, by layer name."""

    input_space: InputSpace | None = None
    """None if the file does not tell a mean."""

    @property
    def weighted(self) -> list[str]:
        """The layers with weights, in the file's order."""
        return list(dict.fromkeys(name.rpartition(".")[0] for name in self.state))


def fitted(contents: Contents, shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The weights in ``contents`` under the names of ``shapes``, by name, and by shape where names differ.

    Layers that have names of their own, such as ``fc8_flowers``, stand for those that are missing, in their order, if
    there are as many and their kernels have the shapes. A dense layer's matrix (out, in) becomes the kernel that covers
    its input.

    Args:
        shapes: of the network's weights and biases.
    """
    wanted = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))
    unknown = [layer for layer in contents.weighted if layer not in wanted]
    missing = [layer for layer in wanted if layer not in contents.weighted]
    meant = {layer: layer for layer in wanted}
    if len(unknown) == len(missing) and all(
        _shaped(contents.state[f"{other}.{WEIGHT}"], shapes[f"{layer}.{WEIGHT}"]).shape == shapes[f"{layer}.{WEIGHT}"]
        for other, layer in zip(unknown, missing, strict=True)
        if f"{other}.{WEIGHT}" in contents.state
    ):
        meant |= dict(zip(unknown, missing, strict=True))
    state = {}
    for name, value in contents.state.items():
        layer, _, kind = name.rpartition(".")
        own = f"{meant.get(layer, layer)}.{kind}"
        state[own] = _shaped(value, shapes[own]) if own in shapes else value
    return state


def _shaped(value: Tensor, shape: Sequence[int]) -> Tensor:
    """``value`` as a kernel of this ``shape``, if it is the matrix of one."""
    same = value.ndim == 2 and len(shape) == 4 and value.shape[0] == shape[0] and value.numel() == math.prod(shape)
    return value.view(*shape) if same else value


def bar(total: int, path: Path) -> tqdm[Any]:
    """A progress bar in bytes of what is read from ``path``; it appears after two seconds."""
    return tqdm(
        total=total,
        desc=f"reading {path.name}",
        unit="B",
        unit_scale=True,
        delay=_PATIENCE,
        leave=False,
        dynamic_ncols=True,
    )
