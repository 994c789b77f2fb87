"""Networks in MatConvNet's ``.mat`` files, SimpleNN and DagNN (Vedaldi & Lenc 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files import mat_hdf5, mat_v5
from genviz.classifiers.weight_files.contents import BIAS, WEIGHT, Contents, bar
from genviz.errors import UserError

SUFFIXES = (".mat",)
_NORMS = ("normalize", "lrn", "dagnn.LRN")
_WHY = 120  # characters of a reason in a message


def read(path: Path) -> Contents:
    """The network in ``path``: ``layers`` and ``meta``, alone or in a variable ``net``.

    Kernels are (rows, columns, in, out) there, normalizations (size, kappa, alpha, beta), where alpha is of the sum of
    squares. Channels are red, green, blue, 0 to 255, minus ``meta.normalization.averageImage``.

    Raises:
        UserError: it is not such a file, or a layer is not what MatConvNet writes.
    """
    try:
        found = mat_hdf5.read(path) if mat_hdf5.is_hdf5(path) else mat_v5.read(path)
        net = found if "layers" in found else found.get("net", {})
        layers = _listed(net.get("layers") if isinstance(net, dict) else None)
        if not layers:
            raise ValueError(f"it holds {', '.join(found) or 'nothing'}, and no layers")
        weights = _dagnns(layers, _listed(net.get("params"))) if "params" in net else _simplenns(layers)
        state = _state(weights, path)
        order = tuple(_name(layer, number) for number, layer in enumerate(layers, 1))
        norms = {
            name: norm
            for name, layer in zip(order, layers, strict=True)
            if layer.get("type") in _NORMS and (norm := _norm(layer, name)) is not None
        }
        space = _space(net)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, MemoryError, AttributeError, UserError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:_WHY]
        raise UserError(f"{path} holds no network that can be read ({why}); MatConvNet's .mat files do") from error
    if not state:
        raise UserError(f"{path} holds no layers with weights; MatConvNet's .mat files do")
    return Contents(state, order, norms, space)


def _listed(value: Any) -> list[dict[str, Any]]:
    """A cell or an array of structs, also one of them alone."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, dict)]


def _name(layer: dict[str, Any], number: int) -> str:
    return str(layer.get("name") or f"{layer.get('type') or 'layer'}{number}")


def _simplenns(layers: list[dict[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """The layers' weights: a cell ``weights`` of filters and biases, or, in the first versions, two fields."""
    for number, layer in enumerate(layers, 1):
        both = layer.get("weights")
        if both is None or (isinstance(both, np.ndarray) and not both.size):
            both = [layer[name] for name in ("filters", "biases") if name in layer]
        if isinstance(both, list) and both:
            yield _name(layer, number), both


def _dagnns(layers: list[dict[str, Any]], params: list[dict[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
    """The layers' weights: each names its own in ``params``."""
    values = {param.get("name"): param.get("value") for param in params}
    for number, layer in enumerate(layers, 1):
        named = layer.get("params")
        names = [named] if isinstance(named, str) and named else named if isinstance(named, list) else []
        if names:
            if unknown := [name for name in names if name not in values]:
                raise ValueError(f"{_name(layer, number)} has no parameter {unknown[0]}")
            yield _name(layer, number), [values[name] for name in names]


def _state(weights: Iterator[tuple[str, list[Any]]], path: Path) -> dict[str, Tensor]:
    found = list(weights)
    state: dict[str, Tensor] = {}
    total = sum(value.nbytes for _, values in found for value in values if isinstance(value, np.ndarray))
    with bar(total, path) as progress:
        for layer, values in found:
            for kind, value in zip((WEIGHT, BIAS), values, strict=False):
                if not isinstance(value, np.ndarray) or (kind == WEIGHT and not value.size):
                    raise ValueError(f"{layer}.{kind} is no array of numbers")
                if not value.size:  # without a bias
                    continue
                if f"{layer}.{kind}" in state:
                    raise ValueError(f"it holds two layers {layer}")
                state[f"{layer}.{kind}"] = _kernel(value) if kind == WEIGHT else _tensor(value.flatten())
                progress.update(value.nbytes)
    return state


def _kernel(value: np.ndarray) -> Tensor:
    """(rows, columns, in, out) -> (out, in, rows, columns); MATLAB leaves out a last dimension of 1."""
    if value.ndim > 4:
        raise ValueError(f"a kernel has {value.ndim} dimensions")
    return _tensor(value.reshape(*value.shape, *(1,) * (4 - value.ndim)).transpose(3, 2, 0, 1))


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value, np.float32, order="C"))


def _norm(layer: dict[str, Any], name: str) -> Norm | None:
    block = layer.get("block")
    param = layer["param"] if "param" in layer else block.get("param") if isinstance(block, dict) else None
    if param is None:
        return None
    numbers = [float(number) for number in np.ravel(param)]
    if len(numbers) != 4 or not np.isfinite(numbers).all() or not 1 <= numbers[0] < 1e4 or numbers[0] % 1:
        raise ValueError(f"{name} has param {numbers}, not its size, kappa, alpha and beta")
    return Norm.matconvnet(*numbers)


def _space(net: dict[str, Any]) -> InputSpace | None:
    """RGB, 0 to 255, minus the mean colour or picture."""
    meta = net.get("meta")
    said = meta.get("normalization") if isinstance(meta, dict) else None
    said = said if isinstance(said, dict) else net.get("normalization")
    mean = said.get("averageImage") if isinstance(said, dict) else None
    if not isinstance(mean, np.ndarray) or not mean.size:
        return None
    if not np.isfinite(mean).all():
        raise ValueError("its averageImage has values that are no numbers")
    if mean.size == 3:
        return InputSpace(channels="RGB", scale=255.0, mean=[float(value) for value in np.ravel(mean)])
    if mean.ndim != 3 or mean.shape[2] != 3:
        raise ValueError(f"its averageImage has shape {mean.shape}, not (1, 1, 3) or (rows, columns, 3)")
    return MeanPicture(_tensor(mean.transpose(2, 0, 1)), channels="RGB")
