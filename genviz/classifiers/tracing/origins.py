"""The convolution that a layer's channels come from."""

from __future__ import annotations

from typing import Any

from torch import fx, nn

from genviz.classifiers.tracing.receptive_field import POINTWISE, Tracer, layers_of
from genviz.classifiers.tracing.taps import find_tap, module_names

_POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_POINTWISE_FUNCTIONS = ("relu", "relu_", "contiguous", "clamp", "clamp_", "hardtanh", "dropout", "max_pool2d")


def convolution_of(network: nn.Module, layer: str) -> str | None:
    """The name of the convolution whose channels those of ``layer`` are, with nothing but ReLUs, pooling and
    normalization in between; None if there is none, or the network cannot be traced.

    Args:
        layer: a module's name, with the number of the call.
    """
    names, modules = module_names(network), dict(network.named_modules())
    tap = find_tap(layer, names)
    if isinstance(modules.get(tap.module), nn.Conv2d):
        return tap.module
    try:
        graph = Tracer().trace(network)
    except Exception:  # whatever a network does with what is not a tensor
        return None
    origin: dict[fx.Node, str | None] = {}
    origins: dict[str, str | None] = {}
    for node in graph.nodes:
        before = [origin[source] for source in node.all_input_nodes]
        origin[node] = None
        if node.op == "call_module" and isinstance(modules[str(node.target)], nn.Conv2d):
            origin[node] = str(node.target)
        elif len(before) == 1 and _keeps_channels(node, modules):
            origin[node] = before[0]
        for name in layers_of(node, names):
            origins[name] = origin[node]  # the last node of a module is its output
    return origins.get(layer)


def _keeps_channels(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], (*POINTWISE, *_POOLING))
    target: Any = node.target
    name = target if isinstance(target, str) else getattr(target, "__name__", "")
    return node.op in ("call_function", "call_method") and name in _POINTWISE_FUNCTIONS
