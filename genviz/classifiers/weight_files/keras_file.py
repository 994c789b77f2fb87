"""VGG weights in Keras HDF5 files, from Keras 1 to Keras 3."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from genviz.classifiers.names import vgg_convolutions
from genviz.classifiers.weight_files import oxford
from genviz.errors import UserError

SUFFIXES = (".h5", ".hdf5", ".keras")
_CONVOLUTION = re.compile(r"(?:block|conv)(\d)_(?:conv)?(\d)")
_DENSE = {"fc1": "fc6", "fc2": "fc7", "fc3": "fc8", "predictions": "fc8", "fc6": "fc6", "fc7": "fc7", "fc8": "fc8"}


class _Layer(NamedTuple):
    path: str
    """In the file, plus the layer's own name if the file records it."""

    weight: h5py.Dataset
    bias: h5py.Dataset

    @property
    def paper_name(self) -> str | None:
        for part in self.path.split("/"):
            if part in _DENSE:
                return _DENSE[part]
            if found := _CONVOLUTION.fullmatch(part):
                return f"conv{found[1]}_{found[2]}"
        return None


def names(path: Path) -> set[str]:
    """The names that `read` gives the weights in ``path``, without reading the weights.

    Raises:
        UserError: it is not such a file.
    """
    with _opened(path) as file:
        return {f"{name}.{kind}" for name in _named(_layers(file), path) for kind in ("weight", "bias")}


def read(path: Path) -> dict[str, Tensor]:
    """The weights in ``path`` by the papers' names, ``conv1_1.weight`` ... ``fc8.bias``, float32, in torch's order.

    Keras stores kernels as (rows, columns, in, out) and flattens the input of fc6 by row, column and channel; torch has
    (out, in, rows, columns), and channel, row and column. Keras 1 in Theano's order matches torch, but Theano convolves
    with kernels rotated by 180 degrees: these are rotated back. Layers that a VGG does not have keep their own names.

    Args:
        path: ``.h5`` or ``.weights.h5``, with weights or a whole model, or ``.keras``.

    Raises:
        UserError: it is not such a file, or the order of its values is ambiguous.
    """
    with _opened(path) as file:
        layers = _named(_layers(file), path)
        weights = {name: np.asarray(layer.weight, np.float32) for name, layer in layers.items()}
        biases = {f"{name}.bias": np.asarray(layer.bias, np.float32) for name, layer in layers.items()}
        backend = _told(file, "backend") or _told(file.get("model_weights"), "backend")
        model = _told(file, "model_config")
    theanos = _is_theanos(weights)
    if not theanos and "fc6" in weights and (backend == "theano" or '"channels_first"' in model):
        raise UserError(
            f"{path} is of a channels-first network, and the order in which it flattens them is unknown; "
            "save it from a channels-last one, or give a .pth or .safetensors file"
        )
    turned = theanos and _is_turned(weights["conv1_1"], backend, path)
    last = max((name for name in weights if name.startswith("conv5_")), default=None)
    channels = 1 if last is None else weights[last].shape[-1]
    for name, weight in weights.items():
        if weight.ndim == 4:
            kernel = weight if theanos else weight.transpose(3, 2, 0, 1)
            weights[name] = kernel[:, :, ::-1, ::-1] if turned else kernel
        elif weight.ndim == 2:
            weights[name] = _channels_first(weight, channels) if name == "fc6" and not theanos else weight.T
    arrays = {f"{name}.weight": weight for name, weight in weights.items()} | biases
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        source: Path | io.BytesIO = path
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(source, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError, zipfile.BadZipFile) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"{path} holds no weights that can be read ({why}); Keras' save_weights writes them") from error


def _layers(file: h5py.File) -> list[_Layer]:
    """The layers with a weight and a bias, which has fewer dimensions; ``conv2d_10`` comes after ``conv2d_9``."""
    groups: dict[str, list[h5py.Dataset]] = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and not name.startswith("optimizer"):
            groups.setdefault(name.rpartition("/")[0], []).append(item)

    file.visititems(collect)
    layers = []
    for group, datasets in groups.items():
        if len(datasets) > 1:
            weight, bias, *_ = sorted(datasets, key=lambda dataset: -dataset.ndim)
            path = group.replace("\\", "/").removesuffix("/vars")
            own = _told(file[group or "/"], "name")  # where Keras 3 calls the group conv2d_7
            layers.append(_Layer(f"{path}/{own}" if own else path, weight, bias))
    return sorted(layers, key=lambda layer: [int(part) if part.isdigit() else part for part in _numbered(layer.path)])


def _numbered(path: str) -> list[str]:
    return re.split(r"([0-9]+)", path)


def _named(layers: list[_Layer], path: Path) -> dict[str, _Layer]:
    """The layers by the papers' names, from their own names or, if those are others, from their order."""
    own = [layer.paper_name or layer.path for layer in layers]
    if not any(layer.paper_name for layer in layers):
        convolutions = [number for number, layer in enumerate(layers) if layer.weight.ndim == 4]
        dense = [number for number, layer in enumerate(layers) if layer.weight.ndim == 2]
        for numbers, known in ((convolutions, vgg_convolutions(len(convolutions))), (dense, ("fc6", "fc7", "fc8"))):
            if len(numbers) == len(known):
                for number, name in zip(numbers, known, strict=True):
                    own[number] = name
    if twice := next((name for name in own if own.count(name) > 1), None):
        raise UserError(f"{path} holds more than one layer {twice}; it is not a VGG's file")
    return dict(zip(own, layers, strict=True))


def _is_theanos(weights: dict[str, np.ndarray]) -> bool:
    """Whether kernels are (out, in, rows, columns)."""
    shape = weights["conv1_1"].shape if "conv1_1" in weights else ()
    return len(shape) == 4 and shape[2:] == (3, 3) != shape[:2]


def _is_turned(first: np.ndarray, backend: str, path: Path) -> bool:
    """Whether kernels in Theano's order are rotated by 180 degrees, as Theano needs them."""
    for turned in (False, True):
        kernels = torch.from_numpy(first[:, :, ::-1, ::-1].copy() if turned else first)
        if oxford.recognise(kernels) is not None:
            return turned
    if backend == "theano" or "th_kernels" in path.name:
        return True
    if backend or "tf_kernels" in path.name:
        return False
    raise UserError(
        f"{path} has kernels as (out, in, rows, columns), but whether they are rotated by 180 degrees for Theano is "
        "unknown; rename it ..._th_kernels.h5 if they are, ..._tf_kernels.h5 if not"
    )


def _channels_first(dense: np.ndarray, channels: int) -> np.ndarray:
    """Weights (rows * columns * channels, out) of square maps as (out, channels * rows * columns)."""
    inputs, outputs = dense.shape
    side = math.isqrt(inputs // max(channels, 1))
    if side * side * channels != inputs:
        return dense.T  # another network's, as its shape will show
    return dense.reshape(side, side, channels, outputs).transpose(3, 2, 0, 1).reshape(outputs, inputs)


def _told(group: h5py.Group | None, name: str) -> str:
    """The attribute ``name`` of ``group``, as text; '' if it has none."""
    value = "" if group is None else group.attrs.get(name, "")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
