"""How a network can be called, found by trying: how many pictures, in which number format and memory layout."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from inspect import Parameter, signature
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genviz.classifiers.tracing.checkpointing import not_recomputed
from genviz.classifiers.tracing.class_scores import Path, find_scores, take_scores
from genviz.classifiers.tracing.trace import Trace, trace
from genviz.classifiers.weight_files.weights import not_finite
from genviz.errors import UserError

_BATCHES = (*range(1, 11), 12, 16, 32)
_BY_POSITION = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)
_CLOSE = 1e-2  # relative; a memory layout changes the last digits, a misread one everything


class Calling(NamedTuple):
    """How a network is called."""

    scores: Path = ()
    """Where the class scores are in its output."""

    at_once: int | None = None
    """How many pictures it takes in one pass; None: any number."""

    dtype: torch.dtype = torch.float32
    """Of its input."""

    channels_last: bool = True
    """Whether it works with this memory layout, in which a step takes 0.6 of the time on a CPU."""

    clips: bool = False
    """Whether it takes no colours outside [0, 1], as random lighting makes them; they are clipped then."""

    def passes(self, inputs: Tensor) -> Iterator[tuple[Tensor, int]]:
        """The inputs (n, 3, h, w) of each pass, and how many of them are wanted; the last picture is repeated."""
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        dtype = torch.float64 if inputs.dtype == torch.float64 else self.dtype  # the classifier has been converted
        inputs = inputs.to(dtype).contiguous(memory_format=layout)
        if self.at_once is None:
            yield inputs, len(inputs)
            return
        for chunk in inputs.split(self.at_once):
            missing = self.at_once - len(chunk)
            yield torch.cat([chunk, chunk[-1:].expand(missing, -1, -1, -1)]) if missing else chunk, len(chunk)


class Probe(NamedTuple):
    """What was found by calling a network."""

    calling: Calling
    trace: Trace
    classes: int


def probe(network: nn.Module, image: Tensor, classes: int | None = None) -> Probe:
    """Find how ``network``, in eval mode, can be called; its weights are laid out and converted accordingly.

    Half precision and double become float32 where the network allows it.

    Args:
        image: (1, 3, h, w), in its input space.
        classes: how many it should have, if that is known.

    Raises:
        UserError: it does not take the image, or does not return class scores.
    """
    by_position(network)
    with not_recomputed():  # which warns where there are no gradients
        return _probe(network, image, classes)


def by_position(network: nn.Module) -> None:
    """Have a ``network`` whose forward takes pictures only by keyword take them by position, in place."""
    forward = network.forward
    try:
        arguments = signature(forward).parameters.values()
    except (TypeError, ValueError):  # scripted
        return
    named = [argument for argument in arguments if argument.kind is Parameter.KEYWORD_ONLY]
    if not named or any(argument.kind in _BY_POSITION for argument in arguments):
        return
    first = min(named, key=lambda argument: argument.default is not Parameter.empty).name  # what has to be given
    network.forward = lambda pictures: forward(**{first: pictures})


def _probe(network: nn.Module, image: Tensor, classes: int | None) -> Probe:
    kinds = {value.dtype for value in (*network.parameters(), *network.buffers()) if value.is_floating_point()}
    dtype, traced = _in_float32(network, image) if kinds - {torch.float32} else (torch.float32, None)
    traced = traced or _trace(network, image.to(dtype))
    count = traced.images
    path = find_scores(traced.output, count, classes)
    scores = take_scores(traced.output, path, count)
    if not (scores.is_meta or scores.isfinite().all()):
        odd = not_finite(network)
        why = f"nor are its weights {', '.join(odd[:3])}" if odd else "it divides by 0, or mean and std are wrong"
        raise UserError(f"the network's class scores are not finite; {why}")
    at_once: int | None = count
    with suppress(UserError):
        if traced.output_of_twice is not None:
            take_scores(traced.output_of_twice, path, 2 * count)
            at_once = None
    calling = Calling(path, at_once, dtype, channels_last=False)
    calling = _fastest(network, calling, image, scores)._replace(clips=not _takes_beyond(network, calling, image))
    return Probe(calling, traced, scores.shape[1])


@torch.no_grad()
def _takes_beyond(network: nn.Module, calling: Calling, image: Tensor) -> bool:
    """Whether ``network`` takes more contrast than an ``image`` in [0, 1] can have."""
    middle = (image.amin((2, 3), keepdim=True) + image.amax((2, 3), keepdim=True)) / 2
    try:
        network(next(calling.passes(middle + 1.5 * (image - middle)))[0])
    except Exception:  # an assertion, or an index of a table of colours
        return False
    return True


def _in_float32(network: nn.Module, image: Tensor) -> tuple[torch.dtype, Trace | None]:
    """Convert the network, unless it then no longer works; return the number format that it takes, and its trace."""
    before = {name: value.dtype for name, value in _values(network) if value.is_floating_point()}
    network.float()
    try:
        return torch.float32, _trace(network, image)
    except UserError:
        for name, value in _values(network):  # buffers are others now
            if name in before:
                value.data = value.data.to(before[name])
        return next(iter(before.values())), None


def _values(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _trace(network: nn.Module, image: Tensor) -> Trace:
    """Trace the network on as few copies of ``image`` as it takes.

    Raises:
        UserError: it takes no number of them.
    """
    first: Exception | None = None
    for count in _BATCHES:
        try:
            return trace(network, image.expand(count, -1, -1, -1).clone())
        except Exception as error:
            first = first or error
    words = (str(first).strip().splitlines() or [type(first).__name__])[0][:150]
    remedy = (
        "wrap it in a module that takes pictures (n, 3, h, w) alone"
        if isinstance(first, TypeError)
        else "are input_size, mean and std those that it was trained with?"
    )
    raise UserError(
        f"the network cannot take {image.shape[2]} x {image.shape[3]} pixels ({words}); {remedy}"
    ) from first


@torch.no_grad()
def _fastest(network: nn.Module, calling: Calling, image: Tensor, expected: Tensor) -> Calling:
    """``calling`` with the weights and inputs in channels last, if the network then returns the same."""
    fast = calling._replace(channels_last=True)
    weights = [value for value in (*network.parameters(), *network.buffers()) if value.ndim == 4]
    before = [value.data for value in weights]
    to_channels_last(network)
    try:
        inputs, count = next(fast.passes(image))
        scores = take_scores(network(inputs), fast.scores, len(inputs))[:count]
        if scores.is_meta or not (scores - expected[:count]).abs().max() > _CLOSE * expected.abs().max():
            return fast
    except Exception:  # such as view() of what is not contiguous
        pass
    for value, data in zip(weights, before, strict=True):
        value.data = data
    return calling


def to_channels_last(network: nn.Module) -> None:
    """Lay out the weights of ``network`` in channels last, in place."""
    for value in (*network.parameters(), *network.buffers()):
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=torch.channels_last)
