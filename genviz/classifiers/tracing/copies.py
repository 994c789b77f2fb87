"""Copies of networks as people have them: compiled, pruned, normalized, hooked, and at work in a training loop."""

from __future__ import annotations

import copy
import operator
import warnings
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import CellType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from genviz.classifiers.tracing.scripted import opened
from genviz.errors import UserError

_DEPTH = 4  # to which the values of attributes are searched
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
            for tensor in _computed(value):  # the weight of weight_norm, whatever was kept of a forward pass
                memo[id(tensor)] = tensor.detach().clone()
    try:
        made = _deep(network, modules, dict(memo))
    except Exception:
        memo |= {id(value): value for module in modules for value in vars(module).values() if _cannot_be_copied(value)}
        try:
            made = _deep(network, modules, memo)
        except Exception as error:
            why = (str(error).splitlines() or [type(error).__name__])[0][:120]
            raise UserError(f"the network cannot be copied ({why})") from error
    if made is network:
        raise UserError("the network cannot be copied (its __deepcopy__ returns itself)")
    return opened(_without_hooks(_on_its_own(network, _own_forward(network, made))))


def _deep(network: nn.Module, modules: list[nn.Module], memo: dict[int, Any]) -> nn.Module:
    with torch.no_grad():
        for module in reversed(modules):
            if (inner := unwrapped(module)) is not module:
                memo[id(module)] = copy.deepcopy(inner, memo)
        return copy.deepcopy(network, memo)


def _cannot_be_copied(value: Any) -> bool:
    """Whether ``value`` is neither a tensor nor a module, and cannot be copied, as a lock; a copy then shares it."""
    if isinstance(value, Tensor | nn.Module | dict):
        return False
    try:
        copy.deepcopy(value)
    except Exception:
        return True
    return False


def _computed(value: Any, depth: int = 0) -> Iterator[Tensor]:
    """The tensors in ``value`` that autograd computed, which cannot be copied."""
    if isinstance(value, Tensor):
        if value.grad_fn is not None:
            yield value
    elif depth < _DEPTH:
        parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple | set) else ()
        for part in parts:
            yield from _computed(part, depth + 1)


def _own_forward(network: nn.Module, made: nn.Module) -> nn.Module:
    """``made`` with its own forward where ``network.forward = torch.compile(network.forward)``."""
    copies = dict(made.named_modules())
    for name, original in network.named_modules():
        forward = vars(original).get("forward")
        if hasattr(forward, "_torchdynamo_orig_callable") and name in copies:
            while not isinstance(forward, MethodType) and hasattr(forward, "__wrapped__"):
                forward = forward.__wrapped__
            if isinstance(forward, MethodType):
                copies[name].forward = MethodType(forward.__func__, copies[name])
    return made


def _on_its_own(network: nn.Module, made: nn.Module) -> nn.Module:
    """``made`` with its own modules in its functions, such as a lambda over ``self``, which copies share."""
    originals, copies = dict(network.named_modules()), dict(made.named_modules())
    own = {id(module): copies[name] for name, module in originals.items() if name in copies}
    for name, module in copies.items():
        if isinstance(module, torch.jit.ScriptModule):
            continue
        given = vars(originals[name]) if name in originals else {}
        for key, value in list(vars(module).items()):
            if not isinstance(value, list) or value is not given.get(key):  # which could not be copied
                module.__dict__[key] = _with_own(value, own)
    return made


def _with_own(value: Any, own: Mapping[int, nn.Module], depth: int = 0) -> Any:
    """``value`` with the copies in ``own`` in place of the modules that functions and weak references in it hold."""
    if isinstance(value, FunctionType):
        cells, defaults = value.__closure__ or (), value.__defaults__ or ()
        inside = (tuple(_cell(cell, own) for cell in cells), tuple(own.get(id(given), given) for given in defaults))
        if all(map(operator.is_, (*inside[0], *inside[1]), (*cells, *defaults))):
            return value
        made = FunctionType(value.__code__, value.__globals__, value.__name__, inside[1], inside[0])
        made.__kwdefaults__ = value.__kwdefaults__
        made.__dict__.update(value.__dict__)
        return made
    if isinstance(value, weakref.ref) and id(value()) in own:
        return weakref.ref(own[id(value())])
    if type(value) in (list, dict) and depth < _DEPTH:  # in place: others may hold it too
        for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if (changed := _with_own(part, own, depth + 1)) is not part:
                value[key] = changed
    return value


def _cell(cell: CellType, own: Mapping[int, nn.Module]) -> CellType:
    try:
        return CellType(own[id(cell.cell_contents)])
    except (KeyError, ValueError):  # something else, or nothing yet
        return cell


def freeze(network: nn.Module) -> nn.Module:
    """Put ``network``, which may be scripted, in eval mode with weights that take no gradient; return it."""
    for value in (*network.parameters(), *network.buffers()):
        if value.is_leaf:
            value.requires_grad_(False)
    with suppress(RuntimeError, AttributeError):  # of torch.jit.freeze, which is in eval mode for ever
        network.eval()
    return network


def _without_hooks(network: nn.Module) -> nn.Module:
    dropped: dict[str, None] = {}
    for name, module in network.named_modules():
        for hooks in () if isinstance(module, torch.jit.ScriptModule) else _hooks_of(module):
            for number, hook in list(hooks.items()):
                if not type(hook).__module__.startswith("torch."):
                    del hooks[number]
                    if hooks is module._forward_pre_hooks or hooks is module._forward_hooks:
                        dropped[name or "the network"] = None
    if dropped:
        said = f"forward hooks are not copied (those of {', '.join([*dropped][:3])}); what they change is not seen"
        warnings.warn(said, stacklevel=2)
    return network


def _hooks_of(module: nn.Module) -> tuple[dict[int, Any], ...]:
    """Every kind of hook that a forward or a backward pass runs."""
    return module._forward_pre_hooks, module._forward_hooks, module._backward_pre_hooks, module._backward_hooks
