"""A network's layers, found by running it: their order, their shapes, and which dimension is which."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from genviz.classifiers.tracing.channels import Channels, Dims
from genviz.classifiers.tracing.taps import call_name, hooks, main_tensor, module_names

_SPATIAL = re.compile(r"(?:Conv|ConvTranspose|ConvReLU|.*Pool|BatchNorm|InstanceNorm)(\d)d")
_DENSE = re.compile(r"(?:Dynamic)?Linear(?:ReLU)?")
_DECLARED = ("out_channels", "out_features", "num_features")


class Traced(NamedTuple):
    """A layer as it was computed."""

    name: str
    """The module's, with the number of the call."""

    module: nn.Module

    shape: tuple[int, ...]
    """Without the pictures."""

    axis: int | None
    """The dimension of the `pictures_first` output that counts the channels; None if unknown."""

    batch: int
    """The dimension of the module's own output that counts the pictures."""


class Trace(NamedTuple):
    """What a network computes of some pictures."""

    layers: list[Traced]
    """In the order of completion."""

    output: Any
    """The network's own, of the pictures."""

    output_of_twice: Any
    """The same of twice as many; None if it does not take as many, or takes them one by one."""

    images: int
    """How many pictures there were."""


class _Seen(NamedTuple):
    module: nn.Module
    shape: tuple[int, ...]
    dims: Dims


def pictures_first(value: Tensor, batch: int, count: int) -> Tensor:
    """A layer's output (n, ...), whose pictures are in another dimension or, cut into windows, several in one.

    Args:
        batch: the dimension that counts the pictures.
        count: how many there are.
    """
    value = value.movedim(batch, 0)
    return value if len(value) == count else value.unflatten(0, (count, -1))


@torch.no_grad()
def trace(network: nn.Module, images: Tensor) -> Trace:
    """Run ``network`` on ``images`` (n, 3, h, w), and on twice as many: what then doubles counts the pictures.

    A layer that does not depend on the pictures is left out. On the meta device this costs no arithmetic.
    """
    once, output = _run(network, images)
    try:
        twice, output_of_twice = _run(network, torch.cat([images, images]), follow=False)
    except Exception:  # it takes one picture, or a fixed number of them
        twice, output_of_twice = {}, None
    if twice.keys() - once.keys():  # it calls its modules for each picture
        twice, output_of_twice = {}, None
    layers = []
    for name, seen in once.items():
        batch = _batch(seen.shape, twice[name].shape if name in twice else None, len(images))
        if batch is None:
            continue
        value = pictures_first(torch.empty(seen.shape, device="meta"), batch, len(images))
        if value.ndim > 1:
            axis = _axis(seen, batch, value.ndim)
            layers.append(Traced(name, seen.module, tuple(value.shape[1:]), axis, batch))
    return Trace(layers, output, output_of_twice, len(images))


def _run(network: nn.Module, images: Tensor, *, follow: bool = True) -> tuple[dict[str, _Seen], Any]:
    """Every layer's shape, and the dimensions of its channels if these are to be followed; the network's output."""
    names, modules = module_names(network), dict(network.named_modules())
    calls: Counter[str] = Counter()
    found: dict[str, _Seen] = {}
    begun: list[int] = []  # how many layers were complete when the modules at work began
    channels = Channels(images)

    def before(name: str, args: Any, kwargs: Any) -> None:
        begun.append(len(found))

    def after(name: str, args: Any, kwargs: Any, result: Any) -> None:
        inner = list(found.values())[begun.pop() :] if follow else []
        own = call_name(name, calls[name], names)
        calls[name] += 1
        if (value := main_tensor(result)) is None or not value.is_floating_point():
            return
        dims: Dims = frozenset()
        if follow:
            dims = channels.of(value)
            if len(dims) != 1:
                given = [own for own in tree_leaves((args, kwargs)) if isinstance(own, Tensor)]
                dims = _guess(modules[name], value.shape, [(g.shape, channels.of(g)) for g in given], inner) or dims
                channels.note(value, dims)
        found[own] = _Seen(modules[name], tuple(value.shape), dims)

    with hooks(network, after, before):
        if not follow:
            return found, network(images)
        with channels:
            return found, network(images)


def _guess(
    module: nn.Module, shape: torch.Size, given: list[tuple[torch.Size, Dims]], inner: list[_Seen]
) -> Dims | None:
    """Where the channels are if they could not be followed; None if that cannot be told.

    In order: the place of a module of this name (quantized and scripted ones are not torch.nn's); a dimension as large
    as the module says its output is; the place that they have in an input of the same shape; that of the last layer
    inside, if the shape is the same, or only one dimension is as large.
    """
    kind = str(getattr(module, "original_name", type(module).__name__))
    if (spatial := _SPATIAL.fullmatch(kind)) is not None and len(shape) > int(spatial[1]) + 1:
        return frozenset({len(shape) - 1 - int(spatial[1])})
    if _DENSE.fullmatch(kind):
        return frozenset({len(shape) - 1})
    declared = next((size for key in _DECLARED if isinstance(size := getattr(module, key, None), int)), None)
    if (own := _only(shape, declared)) is not None:
        return own
    for other, dims in given[:1]:
        if other == shape and len(dims) == 1:
            return dims
    for seen in reversed(inner):
        if len(seen.dims) == 1:
            (dim,) = seen.dims
            return seen.dims if seen.shape == tuple(shape) else _only(shape, seen.shape[dim])
    return None


def _only(shape: torch.Size, size: int | None) -> Dims | None:
    """The only dimension of this size, the first left out; None if there is none, or another one."""
    fitting = [dim for dim, own in enumerate(shape) if dim and own == size]
    return frozenset(fitting) if len(fitting) == 1 else None


def _batch(shape: tuple[int, ...], of_twice: tuple[int, ...] | None, count: int) -> int | None:
    """The dimension that counts the pictures; None if the layer does not depend on them."""
    if of_twice is None or len(of_twice) != len(shape):
        return next((dim for dim, size in enumerate(shape) if size and size % count == 0), None)
    changed = [dim for dim, sizes in enumerate(zip(shape, of_twice, strict=True)) if sizes[0] != sizes[1]]
    return changed[0] if len(changed) == 1 and math.prod(of_twice) == 2 * math.prod(shape) else None


def _axis(seen: _Seen, batch: int, ndim: int) -> int | None:
    """The dimension of the channels with the pictures first, in ``ndim`` dimensions; None if unknown."""
    if ndim == 2:
        return 1
    if len(seen.dims) != 1 or batch in seen.dims:
        return None
    (dim,) = seen.dims
    return dim + (dim < batch) + ndim - len(seen.shape)
