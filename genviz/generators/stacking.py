"""The training state of several images, stacked in the same tensors.

A generator, optimizer or checkpoint of n images has the tensors each image would have alone, concatenated along the
first dimension. So an image can leave its batch, as a checkpoint of its own, and join another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


def join(states: Sequence[Any]) -> Any:
    """Concatenate the tensors of several states; numbers and 0-d tensors are taken from the first.

    Args:
        states: dicts, lists and tuples of the same structure.
    """
    first = states[0]
    if isinstance(first, Tensor):
        return torch.cat(list(states)) if first.ndim else first.clone()
    if isinstance(first, Mapping):
        return type(first)({key: join([state[key] for state in states]) for key in first})  # type: ignore[call-arg]
    if isinstance(first, list | tuple):
        return type(first)(join(parts) for parts in zip(*states, strict=True))
    return first


def split(state: Any, count: int) -> list[Any]:
    """The inverse of `join`: ``count`` states, each with a copy of its share of every tensor."""
    if isinstance(state, Tensor):
        return [part.clone() for part in state.chunk(count)] if state.ndim else [state.clone() for _ in range(count)]
    if isinstance(state, Mapping):
        parts = {key: split(value, count) for key, value in state.items()}
        return [type(state)({key: part[i] for key, part in parts.items()}) for i in range(count)]  # type: ignore[call-arg]
    if isinstance(state, list | tuple):
        members = [split(value, count) for value in state]
        return [type(state)(member[i] for member in members) for i in range(count)]
    return [state] * count
