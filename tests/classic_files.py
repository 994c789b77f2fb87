"""Narrow networks of 2012 to 2014, written as MatConvNet (by scipy and h5py) and Caffe write them."""

from __future__ import annotations

import struct
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
import torch
from torch import nn
from vgg_files import blob, field

from genviz.classifiers import classic, conversion
from genviz.classifiers.classic_networks import RECIPES, ClassicNetwork, Conv, Norm, Recipe

CLASSES = 10
NORM = Norm(3, 0.06, 0.5, 1.5)
"""Unlike any of the recipes', so that a file's own can be told from them."""

COLOUR = (120.5, 117.25, 104.75)
"""A mean, red first; exact in single precision."""

_PARTS = {"conv1": 24, "fc6": 256, "fc7": 256}


_NUMBERS = count()  # of what references lead to


class Cell(list):
    """MATLAB's, as opposed to an array of structs."""


def narrow(name: str) -> Recipe:
    """The recipe with a sixteenth of the channels, or less."""
    own = RECIPES[name]
    layers = tuple(
        layer._replace(channels=layer.channels // _PARTS.get(layer.name, 32)) if isinstance(layer, Conv) else layer
        for layer in own.layers
    )
    return own._replace(layers=layers)


def narrowed(monkeypatch: Any, tmp_path: Path) -> dict[str, str]:
    """Make all of these networks narrow, and return the settings of a classifier."""
    recipes = {name: narrow(name) for name in RECIPES}
    for module in (classic, conversion):
        monkeypatch.setattr(module, "RECIPES", recipes)
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"thing {number}" for number in range(CLASSES)))
    return {"labels": str(labels)}


def made(name: str, *, norm: Norm = NORM) -> ClassicNetwork:
    """A narrow network with made numbers, and with ``norm``."""
    recipe = narrow(name)
    norms = {layer: norm for layer in recipe.layers if isinstance(layer, str)}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ClassicNetwork(recipe, CLASSES, norms).eval()


def _param(module: nn.LocalResponseNorm) -> np.ndarray:
    return np.array([[module.size, module.k, module.alpha / module.size, module.beta]])


def _arrays(module: nn.Conv2d) -> tuple[np.ndarray, np.ndarray]:
    """Filters (rows, columns, in, out) and biases (1, out)."""
    return module.weight.detach().numpy().transpose(2, 3, 1, 0), module.bias.detach().numpy()[None]


_TYPES = {nn.Conv2d: "conv", nn.ReLU: "relu", nn.MaxPool2d: "pool", nn.LocalResponseNorm: "normalize"}


def meta(mean: Any) -> dict[str, Any]:
    return {"normalization": {"averageImage": np.asarray(mean, np.float32), "interpolation": "bicubic"}}


def _kind(module: nn.Module) -> type[nn.Module]:
    return nn.Conv2d if isinstance(module, nn.Conv2d) else type(module)


def simplenn(network: nn.Module, mean: Any = COLOUR, *, first: bool = False, names: bool = True) -> dict[str, Any]:
    """``layers`` and ``meta``; ``first``: as in the first versions."""
    layers = Cell()
    for name, module in network.named_children():
        if _kind(module) not in _TYPES:
            continue
        layer: dict[str, Any] = {"name": name} if names else {}
        layer["type"] = _TYPES[_kind(module)]
        if isinstance(module, nn.Conv2d):
            filters, biases = _arrays(module)
            layer |= {"filters": filters, "biases": biases} if first else {"weights": Cell([filters, biases])}
            layer |= {"stride": np.array([[1.0, 1.0]]), "pad": np.zeros((1, 4))}
        elif isinstance(module, nn.LocalResponseNorm):
            layer["param"] = _param(module)
        layers.append(layer)
    layers.append({"type": "softmax", "name": "prob"})
    normalization = meta(np.reshape(mean, (1, 1, 3)) if np.size(mean) == 3 else mean)
    return {"layers": layers} | (normalization if first else {"meta": normalization})


def dagnn(network: nn.Module, mean: Any = COLOUR) -> dict[str, Any]:
    """``layers``, ``params``, ``vars`` and ``meta``."""
    layers, params, before = [], [], "data"
    for name, module in network.named_children():
        if _kind(module) not in _TYPES:
            continue
        block: dict[str, Any] = {"stride": 1.0}
        kind = {"conv": "Conv", "relu": "ReLU", "pool": "Pooling", "normalize": "LRN"}[_TYPES[_kind(module)]]
        own = Cell()
        if isinstance(module, nn.Conv2d):
            own = Cell([f"{name}f", f"{name}b"])
            params += [{"name": n, "value": v, "learningRate": 1.0} for n, v in zip(own, _arrays(module), strict=True)]
        elif isinstance(module, nn.LocalResponseNorm):
            block["param"] = _param(module)
        layers.append(
            {
                "name": name,
                "type": f"dagnn.{kind}",
                "inputs": Cell([before]),
                "outputs": Cell([name]),
                "params": own,
                "block": block,
            }
        )
        before = name
    return {"layers": layers, "params": params[::-1], "vars": [{"name": "data"}, {"name": "fc8"}], "meta": meta(mean)}


def write_v5(path: Path, tree: dict[str, Any], *, compressed: bool = True) -> None:
    """Write as MATLAB 5 to 7 do; scipy does it."""
    scipy.io.savemat(path, {name: _for_scipy(value) for name, value in tree.items()}, do_compression=compressed)


def _for_scipy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _for_scipy(one) for name, one in value.items()}
    if isinstance(value, Cell):
        cell = np.empty((1, len(value)), object)
        for number, one in enumerate(value):
            cell[0, number] = _for_scipy(one)
        return cell
    if isinstance(value, list):
        structs = np.empty((1, len(value)), [(name, object) for name in value[0]])
        for number, one in enumerate(value):
            structs[0, number] = tuple(_for_scipy(part) for part in one.values())
        return structs
    return value


def write_v73(path: Path, tree: dict[str, Any]) -> None:
    """Write as MATLAB 7.3 does: HDF5 behind 512 bytes of text, dimensions reversed, cells as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        kept = file.create_group("#refs#")
        for name, value in tree.items():
            _put(file, name, value, kept)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM")


def _put(group: h5py.Group, name: str, value: Any, kept: h5py.Group) -> None:
    if isinstance(value, dict):
        own = group.create_group(name)
        own.attrs["MATLAB_class"] = np.bytes_("struct")
        for key, one in value.items():
            _put(own, key, one, kept)
    elif isinstance(value, Cell) and not value:
        _array(group, name, np.array([1, 0], np.uint64), "cell").attrs["MATLAB_empty"] = np.uint8(1)
    elif isinstance(value, Cell):
        _array(group, name, _references(value, kept), "cell")
    elif isinstance(value, list):
        own = group.create_group(name)
        own.attrs["MATLAB_class"] = np.bytes_("struct")
        for key in value[0]:
            own.create_dataset(key, data=_references([one[key] for one in value], kept), dtype=h5py.ref_dtype)
    elif isinstance(value, str):
        _array(group, name, np.array([[ord(letter)] for letter in value], np.uint16), "char")
    else:
        array = np.atleast_2d(value)
        _array(group, name, array.T, "single" if array.dtype == np.float32 else "double")


def _array(group: h5py.Group, name: str, data: Any, kind: str) -> h5py.Dataset:
    dataset = group.create_dataset(name, data=data, dtype=h5py.ref_dtype if data.dtype == object else None)
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)
    return dataset


def _references(values: list[Any], kept: h5py.Group) -> np.ndarray:
    found = np.empty((len(values), 1), object)
    for number, value in enumerate(values):
        name = f"r{next(_NUMBERS)}"
        _put(kept, name, value, kept)
        found[number, 0] = kept[name].ref
    return found


def real(number: int, value: float) -> bytes:
    """Protobuf's coding of a field of a float."""
    return bytes([number << 3 | 5]) + struct.pack("<f", value)


_ENUM = {nn.Conv2d: 4, nn.ReLU: 18, nn.MaxPool2d: 17, nn.LocalResponseNorm: 15}
_WORDS = {nn.Conv2d: b"Convolution", nn.ReLU: b"ReLU", nn.MaxPool2d: b"Pooling", nn.LocalResponseNorm: b"LRN"}


def write_caffe(
    path: Path, network: nn.Module, *, old: bool, transform: bytes = b"", told: bool = True, bare: bool = False
) -> None:
    """Write as Caffe does, ``old`` as its version 1; ``told``: with the normalizations; ``bare``: weights alone."""
    content = field(1, b"a network")
    layers = [] if bare else [_layer(b"data", 5, b"Data", [], old) + _transform(transform, old)]
    for name, module in network.named_children():
        if _kind(module) not in _ENUM or (bare and not isinstance(module, nn.Conv2d)):
            continue
        blobs, dense, more = [], name.startswith("fc"), b""
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
            blobs = [blob(one, old=old) for one in (weight.flatten(1) if dense else weight, module.bias.detach())]
        elif isinstance(module, nn.LocalResponseNorm) and told:
            more = field(1, module.size) + real(2, module.alpha) + real(3, module.beta) + real(5, module.k)
            more = field(18 if old else 118, more)
        kind, word = (14, b"InnerProduct") if dense else (_ENUM[_kind(module)], _WORDS[_kind(module)])
        layers.append(_layer(name.encode(), kind, word, blobs, old) + more)
    path.write_bytes(content + b"".join(field(2 if old else 100, layer) for layer in layers))


def _layer(name: bytes, kind: int, word: bytes, blobs: list[bytes], old: bool) -> bytes:
    if old:
        return field(4, name) + field(5, kind) + b"".join(field(6, one) for one in blobs)
    return field(1, name) + field(2, word) + b"".join(field(7, one) for one in blobs)


def _transform(content: bytes, old: bool) -> bytes:
    return field(36 if old else 100, content) if content else b""
