"""VGG weights in torch, Keras, Caffe and MatConvNet files, by torchvision's names."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from genviz.classifiers.input_space import OXFORD_MEAN, InputSpace, caffe, rgb
from genviz.classifiers.names import vgg_convolutions
from genviz.classifiers.weight_files import (
    caffe_file,
    converted_file,
    keras_file,
    matconvnet_file,
    oxford,
    state_dict,
)
from genviz.errors import UserError

ARCHITECTURES = ("vgg11", "vgg13", "vgg16", "vgg19")
"""Torchvision's VGGs without batch norm, as in the paper."""

FORMS = ".pth, .safetensors, .h5, .keras, .caffemodel or .mat"
_DENSE = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
_EARLIER = {"classifier.1": "classifier.0", "classifier.4": "classifier.3"}  # with dropout before the layer


class VggFile(NamedTuple):
    """The contents of a VGG's file."""

    state: dict[str, Tensor]
    """By torchvision's names, ``features.0.weight``; nothing of ``classifier`` without the dense layers."""

    input_space: InputSpace | None
    """The one it was trained in; None if the file does not tell."""

    @property
    def has_dense_layers(self) -> bool:
        """Whether its class scores can be computed."""
        return any(name.startswith("classifier.") for name in self.state)


def load(path: Path) -> VggFile:
    """The VGG in ``path``, with or without its dense layers.

    Caffe's and MatConvNet's files, and what ``genviz convert`` made of them, tell their input space. Otherwise it is
    Oxford's: Caffe's for Keras and Caffe files, RGB for MatConvNet's. A state dict's is known if its first filter is
    Oxford's. The dense layers of torchvision's ``IMAGENET1K_FEATURES``, which are NaN, are left out.

    Raises:
        UserError: there is no such file, or it holds no VGG.
    """
    _check_there(path)
    suffix = path.suffix.lower()
    if suffix in (*caffe_file.SUFFIXES, *matconvnet_file.SUFFIXES):
        contents = caffe_file.read(path) if suffix in caffe_file.SUFFIXES else matconvnet_file.read(path)
        state = _by_torchvisions_names(contents.state, path)
        usual = caffe(OXFORD_MEAN) if suffix in caffe_file.SUFFIXES else rgb(OXFORD_MEAN)
        return VggFile(state, contents.input_space or _recognised(state) or usual)
    if suffix in keras_file.SUFFIXES:
        state = _by_torchvisions_names(keras_file.read(path), path)
        return VggFile(state, _recognised(state) or caffe(OXFORD_MEAN))
    facts = converted_file.read_facts(path) if suffix == converted_file.SUFFIX else None
    state = _current(state_dict.read(path), path)
    return VggFile(state, _recognised(state) if facts is None else facts.input_space)


def has_dense_layers(path: Path) -> bool:
    """Whether ``path`` has the dense layers; Caffe's and MatConvNet's files are read in full.

    Raises:
        UserError: there is no such file, or it holds no weights.
    """
    _check_there(path)
    if path.suffix.lower() in keras_file.SUFFIXES:
        return any(name.startswith(tuple(_DENSE)) for name in keras_file.names(path))
    if path.suffix.lower() in (*caffe_file.SUFFIXES, *matconvnet_file.SUFFIXES):
        return load(path).has_dense_layers
    return VggFile(_current(state_dict.read(path, mapped=True), path), None).has_dense_layers


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise UserError(f"there is no weights file {path}; classifier.weights takes a {FORMS} file of a VGG")


def _recognised(state: dict[str, Tensor]) -> InputSpace | None:
    first = state.get("features.0.weight")
    return None if first is None else oxford.recognise(first)


def _current(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """``state`` by torchvision's current names, without NaN dense layers."""
    state = state_dict.fitted(state, ("features.0.weight", "features.0.bias"), str(path))
    if "classifier.0.weight" not in state:
        for before, now in _EARLIER.items():
            state = {name.replace(f"{before}.", f"{now}."): value for name, value in state.items()}
    dense = state.get("classifier.0.weight")
    if dense is not None and dense.flatten()[:1000].isnan().all():
        return {name: value for name, value in state.items() if not name.startswith("classifier.")}
    return state


def _by_torchvisions_names(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Rename ``weights`` from the papers' names to torchvision's; for other classes, fc8 may have another name."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in weights))
    found = sorted(name for name in layers if name.startswith("conv"))
    if not found or tuple(found) != vgg_convolutions(len(found)):
        raise UserError(
            f"{path} is not a VGG: its convolutions are {', '.join(found) or 'none'}; VGG16 has 13, conv1_1 to conv5_3"
        )
    modules, index = dict(_DENSE), 0
    for before, name in zip(["conv1", *found], found, strict=False):
        index += before[:5] != name[:5]  # a pool between the blocks
        modules[name] = f"features.{index}"
        index += 2  # and a ReLU
    others = [name for name in layers if name not in modules]
    if odd := next((name for name in others if weights[f"{name}.weight"].ndim != 2), None):
        raise UserError(f"{path} is not a VGG without batch norm: its layer {odd} is neither a convolution nor dense")
    if len(others) == 1 and "fc7" in layers and "fc8" not in layers:
        modules[others[0]] = _DENSE["fc8"]
    state = {}
    for name, value in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer in modules:  # fc6 may be a convolution as large as its input
            state[f"{modules[layer]}.{kind}"] = value.flatten(1) if layer in _DENSE and value.ndim == 4 else value
    return state
