"""How much the units of a target fire, and where they stand among the others of their layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.targets.grammar import Kind, Target, Unit


class Reading(NamedTuple):
    """What a target's units do, one row an image."""

    activations: Tensor
    """(n, units), as the layers computed them."""

    ranks: Tensor
    """(n, units): 1 is the strongest of its layer; equals rank behind each other's, so that a dead unit is the last."""


def responses(activation: Tensor, kind: Kind) -> Tensor:
    """Every unit of ``kind`` in a layer's activation (n, c, ...), as (n, units).

    A class or a filter is the mean of its channel over the positions, a neuron is itself, and a layer is one unit: the
    mean of all.
    """
    flat = activation.flatten(2) if activation.ndim > 2 else activation[..., None]  # (n, c, positions)
    if kind == "neuron":
        return flat.flatten(1)
    return flat.mean(2).mean(1, keepdim=True) if kind == "layer" else flat.mean(2)


def position(unit: Unit, activation: Tensor) -> int:
    """The column of ``unit`` in the `responses` of its layer's ``activation`` (n, c, ...)."""
    if unit.kind == "layer":
        return 0
    column = 0
    for number, size in zip(unit.index, activation.shape[1:], strict=False):
        if number >= size:
            raise UserError(f"{unit.name} is not there: in pictures of this size {unit.layer} has {size}, from 0 on")
        column = column * size + number
    return column


def select(unit: Unit, activation: Tensor) -> Tensor:
    """All that ``unit`` names of a layer's activation (n, c, ...): a channel's positions, a layer; (n, numbers)."""
    position(unit, activation)  # which is refused if it is not there
    for place in unit.index:
        activation = activation[:, place]
    return activation.reshape(len(activation), -1)


def read(target: Target, seen: Mapping[str, Tensor]) -> Reading:
    """Read ``target``'s units from what the classifier saw."""
    activations, ranks = [], []
    for unit in target.units:
        everything = responses(seen[unit.layer], unit.kind)
        own = everything[:, position(unit, seen[unit.layer]), None]
        activations.append(own[:, 0])
        ranks.append((everything >= own).sum(1))
    return Reading(torch.stack(activations, 1), torch.stack(ranks, 1))


def weighted(target: Target, values: Tensor) -> Tensor:
    """The weighted sum (n,) over a target's units of ``values`` (n, units)."""
    return values @ values.new_tensor([unit.weight for unit in target.units])
