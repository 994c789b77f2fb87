"""Copies of networks as people have them: compiled, pruned, normalized, hooked, and at work in a training loop."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from types import MethodType
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from genviz.errors import UserError

_TRAINERS = ("_trainer", "_fabric")  # Lightning's, of a module at work


def unwrapped(network: Any) -> Any:
    """The network inside torch.compile's, DataParallel's and DistributedDataParallel's wrappers."""
    while True:
        inner = getattr(network, "_orig_mod", None)
        if inner is None and isinstance(network, nn.DataParallel | DistributedDataParallel):
            inner = network.module
        if not isinstance(inner, nn.Module):
            return network
        network = inner


def copied(network: nn.Module) -> nn.Module:
    """A copy of ``network`` without wrappers and without others' hooks; torch's own, such as spectral norm's, stay.

    Raises:
        UserError: it cannot be copied.
    """
    network = unwrapped(network)
    memo: dict[int, Any] = {}
    modules = list(network.modules())
    for module in modules:
        for name, value in vars(module).items():
            if name in _TRAINERS:
                memo[id(value)] = None
            for tensor in _computed(
                value
            ):  # such as the weight of weight_norm, and whatever was kept of a forward pass
                memo[id(tensor)] = tensor.detach().clone()
    try:
        for module in reversed(modules):
            if (inner := unwrapped(module)) is not module:
                memo[id(module)] = copy.deepcopy(inner, memo)
        made = copy.deepcopy(network, memo)
    except Exception as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UserError(f"the network cannot be copied ({why})") from error
    return _without_hooks(_own_forward(network, made))


def _computed(value: Any, depth: int = 0) -> Iterator[Tensor]:
    """The tensors in ``value`` that autograd computed, which cannot be copied."""
    if isinstance(value, Tensor):
        if value.grad_fn is not None:
            yield value
    elif depth < 4:
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple | set) else ()
        for part in parts:
            yield from _computed(part, depth + 1)


def _own_forward(network: nn.Module, made: nn.Module) -> nn.Module:
    """``made`` with its own forward where ``network.forward = torch.compile(network.forward)``."""
    for original, module in zip(network.modules(), made.modules(), strict=False):
        forward = getattr(vars(original).get("forward"), "_torchdynamo_orig_callable", None)
        if isinstance(forward, MethodType) and forward.__self__ is original:
            module.forward = MethodType(forward.__func__, module)
    return made


def _without_hooks(network: nn.Module) -> nn.Module:
    for module in network.modules():
        for hooks in _hooks_of(module):
            for number, hook in list(hooks.items()):
                if not type(hook).__module__.startswith("torch."):
                    del hooks[number]
    return network


def _hooks_of(module: nn.Module) -> tuple[dict[int, Any], ...]:
    """Every kind of hook that a forward or a backward pass runs."""
    return module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks
