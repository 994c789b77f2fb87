"""Reading a network's layers, without computing further than needed."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.utils._pytree import tree_leaves, tree_map

from genviz.classifiers.tracing.checkpointing import not_recomputed
from genviz.errors import UserError

INPUT = ".input"
"""``relu5_1.input`` is the input of ``relu5_1``: its pre-activation."""

OUTPUT = ""
"""The name of the network itself, as in `torch.nn.Module.named_modules`."""

_CALL = re.compile(r"(?:_|-+)(\d+)")


class _EnoughSeen(BaseException):  # no ``except Exception`` in a network may stop it
    """Every requested layer has been computed."""


class Tap(NamedTuple):
    """A place in a network."""

    module: str
    """The module's name."""
    call: int
    """Which of its calls, counted from 0."""
    input: bool
    """Whether it is the module's input instead of its output."""


def module_names(network: nn.Module) -> set[str]:
    """Every name of every module; a module that is used in two places has two."""
    return {name for name, _ in network.named_modules(remove_duplicate=False)}


def call_name(module: str, call: int, names: Collection[str] = ()) -> str:
    """The name of a module's ``call``-th output, counted from 0: ``relu``, ``relu_1``, as in torchvision's extraction.

    If ``relu_1`` is another of the network's module ``names``, it is ``relu-1``.
    """
    if call == 0:
        return module
    name, dashes = f"{module}_{call}", ""
    while name in names:
        dashes += "-"
        name = f"{module}{dashes}{call}"
    return name


def find_tap(name: str, names: Collection[str]) -> Tap:
    """The place that ``name`` means in a network with the module ``names``.

    Raises:
        UserError: there is none.
    """
    for given, is_input in ((name, False), (name.removesuffix(INPUT), True)):
        if given in names:
            return Tap(given, 0, is_input)
        for module in names:
            called = _CALL.fullmatch(given[len(module) :]) if module and given.startswith(module) else None
            if called is not None and call_name(module, int(called[1]), names) == given:
                return Tap(module, int(called[1]), is_input)
    raise UserError(f"the network has no layer {name}")


def tap_of(network: nn.Module, name: str) -> Tap:
    """The place that ``name`` means, as `find_tap`, without listing every module for one that is named itself.

    Raises:
        UserError: there is none.
    """
    for given, is_input in ((name, False), (name.removesuffix(INPUT), True)):
        with suppress(AttributeError):  # there is no such module, or it is none
            network.get_submodule(given)
            return Tap(given, 0, is_input)
    return find_tap(name, module_names(network))


def module_of(network: nn.Module, tap: str) -> nn.Module:
    """The module that ``tap`` belongs to: ``layer1.0.relu`` for ``layer1.0.relu_1.input``."""
    return network.get_submodule(tap_of(network, tap).module)


def main_tensor(result: Any) -> Tensor | None:
    """A module's output, or the first part of it, as attention returns its weights too; None if that is no tensor."""
    if isinstance(result, Mapping):
        result = next(iter(result.values()), None)
    elif isinstance(result, tuple | list) and result:
        result = result[0]
    return result if isinstance(result, Tensor) else None


def _with_main(result: Any, value: Tensor) -> Any:
    """``result`` with ``value`` in place of its `main_tensor`."""
    if isinstance(result, Mapping):
        changed: Any = copy.copy(result)
        changed[next(iter(result))] = value
        return changed
    if isinstance(result, tuple | list):
        parts = (value, *result[1:])
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    return value


@contextmanager
def hooks(network: nn.Module, after: Any, before: Any, names: Collection[str] | None = None) -> Iterator[None]:
    """While the block runs, call ``before(name, args, kwargs)`` and ``after(name, args, kwargs, result)`` of modules.

    What they return, if not None, replaces the arguments or the result.

    Args:
        names: of the modules; None: all.
    """
    handles = []
    try:
        every = network.named_modules() if names is None else ((name, network.get_submodule(name)) for name in names)
        for name, module in every:
            if name and not isinstance(module, ScriptModule):
                handles.append(module.register_forward_hook(partial(_after, after, name), with_kwargs=True))
                handles.append(module.register_forward_pre_hook(partial(_before, before, name), with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _before(call: Any, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return call(name, args, kwargs)


def _after(call: Any, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    return call(name, args, kwargs, result)


def look(
    network: nn.Module,
    inputs: Tensor,
    taps: Sequence[str],
    *,
    output: bool = False,
    parts: Mapping[str, Callable[[Tensor], Tensor]] | None = None,
) -> dict[str, Any]:
    """Run ``network`` until all of ``taps`` are computed, and return them.

    Each is the layer's own output: the network continues with a copy, so that an in-place ReLU after it, as in VGG,
    changes only the copy. Nothing past the deepest tap is computed.

    Args:
        network: run in its current mode.
        inputs: (n, 3, h, w), in the network's input space.
        taps: module names; ``NAME_1`` for a module's second call, ``NAME.input`` for its input.
        output: return the network's own output too, as `OUTPUT`.
        parts: by tap, a function applied to the layer's output before the network continues.

    Raises:
        UserError: there is no such layer, or the network did not compute it.
    """
    parts = parts or {}
    missing = {tap_of(network, name): name for name in (*taps, *parts)}
    modules = {tap.module for tap in missing}
    seen: dict[str, Any] = {}
    calls: Counter[str] = Counter()

    def record(tap: Tap, value: Tensor | None) -> Tensor | None:
        if value is None or (name := missing.pop(tap, None)) is None:
            return None
        seen[name] = value
        if not missing and not output:
            raise _EnoughSeen
        value = value.clone()
        return parts[name](value) if name in parts else value

    def before(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = next((value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)), None)
        value = record(Tap(name, calls[name], input=True), given)
        return None if value is None else tree_map(lambda own: value if own is given else own, (args, kwargs))

    def after(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        calls[name] += 1
        value = record(Tap(name, calls[name] - 1, input=False), main_tensor(result))
        return None if value is None else _with_main(result, value)

    with hooks(network, after, before, modules), not_recomputed():
        try:
            result = network(inputs)
        except _EnoughSeen:
            return seen
        except (AssertionError, ValueError) as error:
            why = (str(error).splitlines() or ["an assertion fails"])[0][:150]
            raise UserError(f"the network does not take this picture: {why}") from error
    if missing:
        raise UserError(f"the network did not compute {', '.join(missing.values())} for this picture; name others")
    return seen | {OUTPUT: result} if output else seen
