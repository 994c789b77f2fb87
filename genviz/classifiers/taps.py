"""Reading a network's layers, without computing further than needed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

INPUT = ".input"
"""``relu5_1.input`` is the input of ``relu5_1``: its pre-activation."""


_CALL = re.compile(r"_\d+$")


class _EnoughSeen(Exception):  # noqa: N818 - not an error
    """Every requested layer has been computed."""


def call_name(module: str, call: int) -> str:
    """The name of a module's ``call``-th output, counted from 0, as in torchvision's feature extraction."""
    return module if call == 0 else f"{module}_{call}"


def module_of(network: nn.Module, tap: str) -> nn.Module:
    """The module that ``tap`` belongs to: ``layer1.0.relu`` for ``layer1.0.relu_1.input``."""
    name = tap.removesuffix(INPUT)
    try:
        return network.get_submodule(name)
    except AttributeError:
        return network.get_submodule(_CALL.sub("", name))


@contextmanager
def _hooks(network: nn.Module, hook: Any, pre_hook: Any = None, names: Collection[str] | None = None) -> Iterator[None]:
    handles = []
    try:
        for name, module in network.named_modules():
            if name and (names is None or name in names):
                handles.append(module.register_forward_hook(partial(hook, name)))
                if pre_hook is not None:
                    handles.append(module.register_forward_pre_hook(partial(pre_hook, name)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def look(
    network: nn.Module,
    inputs: Tensor,
    taps: Sequence[str],
    *,
    output: str | None = None,
    parts: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> dict[str, Tensor]:
    """Run ``network`` until all of ``taps`` are computed, and return them.

    Each is the layer's own output: the network continues with a copy, so that an in-place ReLU after it, as in VGG,
    changes only the copy. Nothing past the deepest tap is computed.

    Args:
        network: run in its current mode.
        inputs: (n, 3, h, w), in the network's input space.
        taps: module names; ``NAME_1`` for a module's second call, ``NAME.input`` for its input.
        output: the key for the network's output, (n, classes), if that is wanted too.
        parts: by tap, a function applied to the layer's output before the network continues.
    """
    parts = parts or {}
    seen: dict[str, Tensor] = {}
    calls: Counter[str] = Counter()
    missing = {*taps, *parts}
    modules = {tap.removesuffix(INPUT) for tap in missing} | {_CALL.sub("", tap.removesuffix(INPUT)) for tap in missing}

    def record(tap: str, value: Tensor) -> Tensor | None:
        if tap not in missing:
            return None
        seen[tap] = value
        missing.discard(tap)
        if not missing and output is None:
            raise _EnoughSeen
        value = value.clone()
        return parts[tap](value) if tap in parts else value

    def before(name: str, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        value = record(call_name(name, calls[name]) + INPUT, args[0])
        return None if value is None else (value, *args[1:])

    def after(name: str, module: nn.Module, args: tuple[Any, ...], result: Any) -> Tensor | None:
        calls[name] += 1
        return record(call_name(name, calls[name] - 1), result)

    with _hooks(network, after, before, modules):
        try:
            result = network(inputs)
        except _EnoughSeen:
            return seen
    return seen if output is None else seen | {output: result}


def trace(network: nn.Module, size: int) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """Every layer of ``network`` in the order of completion: its name, module and output shape, (1, ...).

    On the meta device this costs no arithmetic.
    """
    found: list[tuple[str, nn.Module, tuple[int, ...]]] = []
    calls: Counter[str] = Counter()

    def after(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim in (2, 3, 4):
            found.append((call_name(name, calls[name]), module, tuple(output.shape)))
        calls[name] += 1

    device = next(network.parameters()).device
    with torch.no_grad(), _hooks(network, after):
        network(torch.empty(1, 3, size, size, device=device))
    return found
