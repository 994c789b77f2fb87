"""The responses of a layer's units, and their weighted sum over a target's."""

from __future__ import annotations

from torch import Tensor

from genviz.targets.grammar import Kind, Target


def responses(activation: Tensor, kind: Kind) -> Tensor:
    """Every unit of ``kind`` in a layer's activation (n, c, ...), as (n, units).

    A class or a filter is the mean of its channel over the positions, a neuron is itself, and a layer is one unit: the
    mean of all.
    """
    flat = activation.flatten(2) if activation.ndim > 2 else activation[..., None]  # (n, c, positions)
    if kind == "neuron":
        return flat.flatten(1)
    return flat.mean(2).mean(1, keepdim=True) if kind == "layer" else flat.mean(2)


def weighted(target: Target, values: Tensor) -> Tensor:
    """The weighted sum (n,) over a target's units of ``values`` (n, units), for an objective that takes one target."""
    return values @ values.new_tensor([unit.weight for unit in target.units])
