"""The activations of a target's units, and their ranks within their layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.targets.grammar import Kind, Target, Unit


class Reading(NamedTuple):
    """The activations and ranks of a target's units, one row per image."""

    activations: Tensor
    """(n, units), as computed by the layers."""

    ranks: Tensor
    """(n, units): 1 is the strongest of its layer; ties take the last rank, so that a dead unit is last.

    Where nothing should fire, 1 is the weakest, and ties take the first rank.
    """


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
            raise UserError(
                f"{unit.name} does not exist: for pictures of this size {unit.layer} has {size}, numbered from 0"
            )
        column = column * size + number
    return column


def select(unit: Unit, activation: Tensor) -> Tensor:
    """The part of a layer's activation (n, c, ...) that ``unit`` names: a neuron, a channel, all; (n, values)."""
    position(unit, activation)  # raises if it does not exist
    for place in unit.index:
        activation = activation[:, place]
    return activation.reshape(len(activation), -1)


def read(target: Target, seen: Mapping[str, Tensor]) -> Reading:
    """Read ``target``'s units from the classifier's activations."""
    activations, ranks = [], []
    for unit in target.units:
        everything = responses(seen[unit.layer], unit.kind)
        own = everything[:, position(unit, seen[unit.layer]), None]
        activations.append(own[:, 0])
        weaker = everything < own  # never true of what is not a number, whose rank is then the last
        ranks.append(1 + weaker.sum(1) if target.silences and not own.isnan().any() else (~weaker).sum(1))
    return Reading(torch.stack(activations, 1), torch.stack(ranks, 1))


def weighted(target: Target, values: Tensor) -> Tensor:
    """The weighted sum (n,) over a target's units of ``values`` (n, units)."""
    return values @ values.new_tensor([unit.weight for unit in target.units])
