"""The receptive fields of layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import fx, nn

_POINTWISE = (
    *(nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.BatchNorm2d, nn.Dropout, nn.Identity, nn.LocalResponseNorm),
)
_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


class ReceptiveField(NamedTuple):
    """Of a layer's positions, in input pixels."""

    size: int
    """Side of the square that one position sees."""

    stride: int
    """Distance between neighbouring positions."""

    offset: float
    """The centre of the first position; 0 is the centre of the first pixel."""


class _Tracer(fx.Tracer):
    """torch's tracer, which does not trace into convolutions, with genviz's own included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _WINDOWED) or super().is_leaf_module(m, module_qualified_name)


def receptive_fields(network: nn.Module) -> dict[str, ReceptiveField]:
    """The receptive fields of the modules of ``network``, by module name.

    Layers that see the whole image (fully connected, adaptively pooled) and all that follow are left out. A network
    whose forward pass cannot be traced has none.
    """
    try:
        graph = _Tracer().trace(network)
    except Exception:  # whatever a network does with what is not a tensor
        return {}
    modules = dict(network.named_modules())
    at: dict[fx.Node, ReceptiveField | None] = {}
    fields: dict[str, ReceptiveField | None] = {}
    for node in graph.nodes:
        before = [at[source] for source in node.all_input_nodes]
        if node.op == "placeholder":
            at[node] = ReceptiveField(1, 1, 0.0)
        elif node.op == "call_module":
            at[node] = _through(modules[str(node.target)], before[0]) if before else None
        elif node.op in ("call_function", "call_method"):
            at[node] = _join(before) if _keeps_positions(node.target) else None
        else:
            at[node] = None
        for path in (entry[0] for entry in node.meta.get("nn_module_stack", {}).values()):
            fields[path] = at[node]  # the last node of a module is its output
    return {name: field for name, field in fields.items() if name and field is not None}


def _through(module: nn.Module, field: ReceptiveField | None) -> ReceptiveField | None:
    if field is None or isinstance(module, _POINTWISE):
        return field
    if not isinstance(module, _WINDOWED):
        return None
    kernel, stride, padding = _side(module.kernel_size), _side(module.stride), _side(module.padding)
    dilation = 1 if isinstance(module, nn.AvgPool2d) else _side(module.dilation)
    reach = dilation * (kernel - 1)
    return ReceptiveField(
        field.size + reach * field.stride, field.stride * stride, field.offset + (reach / 2 - padding) * field.stride
    )


def _join(fields: list[ReceptiveField | None]) -> ReceptiveField | None:
    known = [field for field in fields if field is not None]
    if len(known) < len(fields) or len({field.stride for field in known}) != 1:
        return None
    return max(known)


def _keeps_positions(function: Any) -> bool:
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    return function is torch.cat or name in {"add", "iadd", "add_", "mul", "relu", "relu_", "contiguous"}


def _side(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)
