"""The units of a layer that are no targets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genviz.targets.grammar import Target
from genviz.targets.responses import responses
from genviz.targets.units import Units


class Others(nn.Module):
    """How strong those units of a layer are that belong to no target of their image, and hold none.

    There are none where the target is the whole layer, and they do not count where nothing should fire.

    Args:
        units: what the targets name in the layer, of the kind that counts.
        targets: one or several.

    Attributes:
        exist: whether they count for one of the targets.
        all_count: whether they do for all.
    """

    count: Tensor
    channels: Tensor

    def __init__(self, units: Units, targets: Sequence[Target]) -> None:
        super().__init__()
        self._units = (units,)  # in a tuple: not a submodule
        count, channels = [], []
        for own, target in zip(units.rows, targets, strict=True):
            named = [unit for unit in target.units if unit.layer == units.layer]
            whole = any(unit.kind == "layer" for unit in named)
            count.append(bool(own) and not whole and not target.silences)
            within = (
                unit for unit in named if unit.kind != "layer" and (units.kind != "neuron" or len(unit.index) == 1)
            )
            channels.append(list(dict.fromkeys(unit.index[0] for unit in within)))
        self.exist, self.all_count = units.kind != "layer" and any(count), all(count)
        most = max(map(len, channels))
        filled = [[*own, *(own[:1] or [-1]) * most][:most] for own in channels]
        self.register_buffer("count", torch.tensor(count), persistent=False)
        self.register_buffer("channels", torch.tensor(filled, dtype=torch.long), persistent=False)

    def forward(self, activation: Tensor) -> Tensor:
        """The sum of what is above 0 of their responses, (n,), in the layer's ``activation`` (n, c, ...)."""
        (units,) = self._units
        channels = units.spread(self.channels, len(activation))
        if units.kind == "neuron":
            everything = self._without(activation, channels).flatten(1)
            everything = everything.relu().scatter(1, units.columns(activation), 0)
        else:
            everything = responses(activation, units.kind).relu().scatter(1, channels.clamp_min(0), 0)
        total = everything.sum(1)
        return total if self.all_count else total.where(units.spread(self.count, len(total)), 0)

    def _without(self, activation: Tensor, channels: Tensor) -> Tensor:
        """The ``activation`` with 0 in the ``channels`` (n, k) that are targets themselves; -1 is none."""
        maps = activation.flatten(2) if activation.ndim > 2 else activation[..., None]  # (n, c, positions)
        if not channels.shape[1]:
            return maps
        maps = F.pad(maps, (0, 0, 0, 1))  # one more, which is no unit
        places = channels.where(channels >= 0, maps.shape[1] - 1)[..., None].expand(-1, -1, maps.shape[2])
        return maps.scatter(1, places, 0)[:, :-1]
