"""The units of one target, or of many, as tensors, so that the same operations serve all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.targets.grammar import Kind, Target
from genviz.targets.responses import responses


class Units(nn.Module):
    """The units of one kind in one layer that targets name.

    Each target has k places, as many as the one with the most units; those that it does not need are empty.

    Args:
        layer, kind: of all of them.
        targets: one or several.

    Attributes:
        rows: the units of each target.
        weights: of each place, (targets, k); 0 where it is empty.
        full: whether there is a unit, (targets, k).
        decides: whether the target is reached only with it, (targets, k).
        are_full: whether no place is empty.
    """

    index: Tensor
    weights: Tensor
    full: Tensor
    decides: Tensor

    def __init__(self, layer: str, kind: Kind, targets: Sequence[Target]) -> None:
        super().__init__()
        self.layer, self.kind = layer, kind
        self.rows = [[unit for unit in t.units if (unit.layer, unit.kind) == (layer, kind)] for t in targets]
        places = range(max(map(len, self.rows)))
        none = (0,) * max(len(unit.index) for row in self.rows for unit in row)
        index = [[row[p].index if p < len(row) else row[0].index if row else none for p in places] for row in self.rows]
        decisive = [{unit for unit, decides in zip(t.units, t.decisive, strict=True) if decides} for t in targets]
        full = [[place < len(row) for place in places] for row in self.rows]
        decides = [
            [p < len(row) and row[p] in own for p in places] for row, own in zip(self.rows, decisive, strict=True)
        ]
        self.are_full = all(map(all, full))
        self.register_buffer("index", torch.tensor(index, dtype=torch.long), persistent=False)
        self.register_buffer("full", torch.tensor(full), persistent=False)
        self.register_buffer("decides", torch.tensor(decides), persistent=False)
        self._weights = [[row[p].weight if p < len(row) else 0.0 for p in places] for row in self.rows]
        self.register_buffer("weights", torch.tensor(self._weights), persistent=False)
        self._fits: tuple[int, ...] = ()

    def of(self, activation: Tensor) -> int:
        """How many units of this kind there are in the layer's ``activation`` (n, c, ...)."""
        return {"layer": 1, "neuron": math.prod(activation.shape[1:])}.get(self.kind, activation.shape[1])

    def columns(self, activation: Tensor) -> Tensor:
        """The column of each unit in the `responses` of the layer's ``activation`` (n, c, ...), (n, k).

        An empty place has that of the target's first unit, or 0.

        Raises:
            UserError: a unit does not exist in maps of this size.
        """
        self.check(tuple(activation.shape[1:]))
        columns = self.index[..., :1].sum(2)  # (targets, k); a layer has no index, and is column 0
        for axis in range(1, self.index.shape[2]):
            columns = columns * activation.shape[1 + axis] + self.index[..., axis]
        return self.spread(columns, len(activation))

    def spread(self, values: Tensor, images: int) -> Tensor:
        """``values`` (targets, ...) for each of so many images, (images, ...); as they are, if there is one for all."""
        views = images // len(self.rows)
        return values if views < 2 else values.repeat_interleave(views, 0)

    def responses(self, activation: Tensor) -> Tensor:
        """The response of each unit, (n, k), for the layer's ``activation`` (n, c, ...), or one for all targets."""
        columns = self.columns(activation)
        return responses(activation, self.kind).expand(len(columns), -1).gather(1, columns)

    def select(self, activation: Tensor) -> Tensor:
        """What each unit is of the layer's ``activation`` (n, c, ...), or one for all targets, (n, k, values).

        That is a neuron, a channel, or everything; everything of one for all targets is (1, 1, values).
        """
        columns = self.columns(activation)
        if self.kind == "layer":
            return activation.flatten(1)[:, None]
        flat = activation.flatten(2) if activation.ndim > 2 else activation[..., None]  # (n, c, positions)
        flat = flat.flatten(1)[..., None] if self.kind == "neuron" else flat
        flat = flat.expand(len(columns), -1, -1)
        return flat.gather(1, columns[..., None].expand(-1, -1, flat.shape[2]))

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise a `UserError` if one of them does not exist in a layer of this shape, (c, ...)."""
        if shape == self._fits:
            return
        for unit in (unit for row in self.rows for unit in row):
            for number, size in zip(unit.index, shape, strict=False):
                if number >= size:
                    raise UserError(
                        f"{unit.name} does not exist: for pictures of this size {unit.layer} has {size}, "
                        "numbered from 0"
                    )
        self._fits = shape

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Units:
        super()._apply(fn, recurse)
        self.weights = fn(torch.tensor(self._weights, dtype=self.weights.dtype))  # exact in double precision, too
        return self


class Reading(NamedTuple):
    """What the units of targets do in n images."""

    activation: Tensor
    """The weighted sum of the units' activations, as computed by the layers, (n,)."""

    rank: Tensor
    """The worst rank of the units that decide, (n,)."""

    activations: list[Tensor]
    """Of each unit, (n, k), for each of the targets' `Units`."""

    ranks: list[Tensor]
    """Likewise: 1 is the strongest of its layer; ties take the last rank, so that a dead unit is last.

    Where nothing should fire, 1 is the weakest, and ties take the first rank. What is not a number is last.
    """

    counts: list[int]
    """For each of the targets' `Units`, how many there are of that kind in that layer."""


class Targets(nn.Module):
    """Several targets as tensors; n images are shared out evenly among them, in order.

    Args:
        targets: one or several.

    Attributes:
        each: the targets.
    """

    silences: Tensor

    def __init__(self, targets: Target | Sequence[Target]) -> None:
        super().__init__()
        self.each = (targets,) if isinstance(targets, Target) else tuple(targets)
        places = dict.fromkeys((unit.layer, unit.kind) for target in self.each for unit in target.units)
        self.units = nn.ModuleList(Units(layer, kind, self.each) for layer, kind in places)
        self.layers = tuple(dict.fromkeys(layer for layer, _ in places))
        self.register_buffer("silences", torch.tensor([[target.silences] for target in self.each]), persistent=False)

    def __iter__(self) -> Iterator[Units]:
        return iter(self.units)  # type: ignore[arg-type]

    def total(self, values: Callable[[Units], Tensor], *, weighted: bool = True) -> Tensor:
        """The sum (n,) over each target's units of ``values``, (n, k) for each of the `Units`, with their weights."""
        parts = []
        for units in self:
            own = values(units)
            if not units.are_full:
                own = own.where(units.spread(units.full, len(own)), 0)
            parts.append((own * units.spread(units.weights, len(own)) if weighted else own).sum(1))
        return sum(parts[1:], parts[0])

    def named(self, values: Callable[[Units], Tensor]) -> dict[str, Tensor]:
        """The ``values`` (n, k) of the `Units` by each unit's name, (n,), nan where it is not of the image's target."""
        found: dict[str, Tensor] = {}
        for units in self:
            own = values(units)
            kept = own.where(units.spread(units.full, len(own)), math.nan).unflatten(0, (len(units.rows), -1))
            for number, row in enumerate(units.rows):
                for place, unit in enumerate(row):
                    named = found.setdefault(unit.name, torch.full(kept.shape[:2], math.nan).to(kept))
                    named[number] = kept[number, :, place]
        return {name: value.flatten() for name, value in found.items()}

    def activation(self, seen: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum (n,) of the activations of each target's units, as computed by the layers."""
        return self.total(lambda units: units.responses(seen[units.layer]))

    def read(self, seen: Mapping[str, Tensor]) -> Reading:
        """What the units do in the classifier's activations, by layer."""
        activations, ranks, counts, worst = {}, [], [], []
        for units in self:
            everything = responses(seen[units.layer], units.kind)  # (n, units)
            own = everything.gather(1, units.columns(seen[units.layer]))
            weaker = (everything[:, None] < own[..., None]).sum(2)  # (n, k); never true of what is not a number
            weakest = units.spread(self.silences, len(own)) & ~own.isnan()
            ranks.append(torch.where(weakest, 1 + weaker, everything.shape[1] - weaker))
            worst.append(ranks[-1].where(units.spread(units.decides, len(own)), 0).amax(1))
            activations[units] = own
            counts.append(units.of(seen[units.layer]))
        rank = worst[0] if len(worst) == 1 else torch.stack(worst).amax(0)
        return Reading(self.total(activations.__getitem__), rank, list(activations.values()), ranks, counts)
