"""The receptive fields of layers."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from functools import reduce
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import fx, nn

from genviz.classifiers.tracing.taps import call_name, module_names
from genviz.representations.window import Window

POINTWISE = (
    *(nn.ReLU, nn.Hardtanh, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.CELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid, nn.Tanh, nn.BatchNorm2d, nn.LocalResponseNorm),
    *(nn.Dropout, nn.Dropout2d, nn.Identity),
)
"""Modules whose every output sees what the input at its place sees."""

_POINTWISE_FUNCTIONS = {
    *("add", "iadd", "add_", "sub", "isub", "sub_", "mul", "imul", "mul_", "truediv", "contiguous", "dropout"),
    *("relu", "relu_", "leaky_relu", "elu", "gelu", "silu", "mish", "hardswish", "hardtanh", "sigmoid", "tanh"),
    *("relu6", "clamp", "stochastic_depth"),
}
_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_POOLINGS: dict[Any, type[nn.MaxPool2d | nn.AvgPool2d]] = {F.max_pool2d: nn.MaxPool2d, F.avg_pool2d: nn.AvgPool2d}


class ReceptiveField(NamedTuple):
    """Of a layer's positions, in input pixels: in one direction, or in both of a square."""

    size: int
    """How much of the input one position sees."""

    stride: int
    """Distance between neighbouring positions."""

    offset: float
    """The centre of the first position; 0 is the centre of the first pixel."""

    @property
    def low(self) -> float:
        """The centre of the first pixel that the first position sees."""
        return self.offset - (self.size - 1) / 2

    def around(self, other: ReceptiveField) -> ReceptiveField:
        """The smallest that contains both, at the larger of the strides."""
        low = min(self.low, other.low)
        size = max(self.low + self.size, other.low + other.size) - low
        return ReceptiveField(round(size), max(self.stride, other.stride), low + (size - 1) / 2)


class Area(NamedTuple):
    """What positions see: along the rows' numbers, which is down, and along the columns', which is across."""

    down: ReceptiveField
    across: ReceptiveField

    @property
    def square(self) -> ReceptiveField:
        """The larger of both sizes and strides, which is both but for kernels that are not square."""
        return ReceptiveField(
            max(self.down.size, self.across.size), max(self.down.stride, self.across.stride), self.down.offset
        )


class Tracer(fx.Tracer):
    """torch's tracer, which does not trace into convolutions, genviz's own included, nor into what has a window."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether the module is a node of its own."""
        return isinstance(m, _WINDOWED) or _window(m) is not None or super().is_leaf_module(m, module_qualified_name)


def receptive_fields(network: nn.Module) -> dict[str, ReceptiveField]:
    """The `receptive_areas` as squares."""
    return {name: area.square for name, area in receptive_areas(network).items()}


def receptive_areas(network: nn.Module) -> dict[str, Area]:
    """The receptive fields of the layers of ``network``, by module name, with the number of the call.

    Layers that see the whole image (fully connected, adaptively pooled) and all that follow are left out. A network
    whose forward pass cannot be traced has none.
    """
    try:
        graph = Tracer().trace(network)
    except Exception:  # whatever a network does with what is not a tensor
        return {}
    modules, names = dict(network.named_modules()), module_names(network)
    at: dict[fx.Node, Area | None] = {}
    fields: dict[str, Area | None] = {}
    for node in graph.nodes:
        before = [at[source] for source in node.all_input_nodes]
        if node.op == "placeholder":
            at[node] = Area(ReceptiveField(1, 1, 0.0), ReceptiveField(1, 1, 0.0))
        elif node.op == "call_module":
            at[node] = _through(modules[str(node.target)], before[0]) if before else None
        elif node.op in ("call_function", "call_method"):
            at[node] = _by_function(node, before)
        else:
            at[node] = None
        for name in layers_of(node, names):
            fields[name] = at[node]  # the last node of a module is its output
    return {name: field for name, field in fields.items() if name and field is not None}


def layers_of(node: fx.Node, names: Collection[str]) -> list[str]:
    """The layers that ``node`` lies in, from the outermost, for a network with the modules ``names``."""
    found = []
    for key, (path, _) in node.meta.get("nn_module_stack", {}).items():
        call = str(key).removeprefix(path).removeprefix("@")  # of a module's second call: layer1.0.relu@1
        found.append(call_name(path, int(call or 0), names))
    return found


def _through(module: nn.Module, area: Area | None) -> Area | None:
    if area is None or isinstance(module, POINTWISE):
        return area
    if (window := _window(module)) is not None:
        return Area(*(_within(field, *window) for field in area))
    if not isinstance(module, _WINDOWED):
        return None
    return Area(*(_along(axis, module, field) for axis, field in enumerate(area)))


def _along(axis: int, module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, field: ReceptiveField) -> ReceptiveField:
    kernel, stride = _side(module.kernel_size, axis), _side(module.stride, axis)
    dilation = 1 if isinstance(module, nn.AvgPool2d) else _side(module.dilation, axis)
    reach = dilation * (kernel - 1)
    padding = {"same": reach // 2, "valid": 0}.get(str(module.padding))
    padding = _side(module.padding, axis) if padding is None else padding
    return _within(field, reach + 1, stride, reach / 2 - padding)


def _within(field: ReceptiveField, size: int, stride: int, first: float) -> ReceptiveField:
    return ReceptiveField(
        field.size + (size - 1) * field.stride, field.stride * stride, field.offset + first * field.stride
    )


def _window(module: nn.Module) -> Window | None:
    window = getattr(module, "window", None)
    return window if isinstance(window, Window) else None


def _join(areas: list[Area | None]) -> Area | None:
    known = [area for area in areas if area is not None]
    if len(known) < len(areas) or len({(area.down.stride, area.across.stride) for area in known}) != 1:
        return None
    return Area(*(reduce(ReceptiveField.around, fields) for fields in zip(*known, strict=True)))


def _by_function(node: fx.Node, before: list[Area | None]) -> Area | None:
    """What the result of a call sees whose inputs see ``before``."""
    if (kind := _POOLINGS.get(node.target)) is not None:
        given: dict[str, Any] = dict(zip(("kernel_size", "stride", "padding"), node.args[1:], strict=False))
        given |= {name: value for name, value in node.kwargs.items() if name in inspect.signature(kind).parameters}
        return _through(kind(**given), before[0]) if len(before) == 1 else None
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    pointwise = name in _POINTWISE_FUNCTIONS or node.target is torch.cat or _takes_channels_apart(name, node)
    return _join(before) if pointwise else None


def _takes_channels_apart(name: str, node: fx.Node) -> bool:
    """Whether it is x[:, 0], or unsqueeze(x[:, 0], 1), by which torchvision's GoogLeNet normalizes again."""
    if name == "getitem":
        index = node.args[1]
        return isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None) and isinstance(index[1], int)
    return name == "unsqueeze" and node.args[1:] == (1,)


def _side(value: Any, axis: int) -> int:
    return int(value[axis] if isinstance(value, tuple | list) else value)
