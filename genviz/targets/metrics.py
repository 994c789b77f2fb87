"""What an update tells of each target: one row of numbers, for all targets in the same operations, and their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from genviz.targets.units import Targets


class Metrics:
    """Makes a row of numbers of what targets do in an update, on the device, and knows what each number is.

    Args:
        targets: one or several.
    """

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._names: tuple[str, ...] = ()

    @torch.no_grad()
    def row(self, values: Mapping[str, Tensor], seen: Mapping[str, Tensor]) -> Tensor:
        """The numbers of all targets, (numbers,): ``values``, then the activation and the rank, then each unit's.

        Args:
            values: by name, for each image or each view, (n,): a target's ``loss`` is their sum, of others the mean.
            seen: the classifier's activations, of which the activation is the mean over the views, the rank the worst.
        """
        reading, count = self.targets.read(seen), len(self.targets.each)
        self._names = (*values, "activation", "rank")
        own = {name: value.view(count, -1) for name, value in values.items()}
        parts = [value.sum(1) if name == "loss" else value.mean(1) for name, value in own.items()]
        parts.append(reading.activation.view(count, -1).mean(1))
        parts.append(reading.rank.view(count, -1).amax(1).float())
        if self.tells_units:
            parts += [each.view(count, -1, each.shape[1]).mean(1).flatten() for each in reading.activations]
        return torch.cat(parts)

    def named(self, row: Sequence[float]) -> list[dict[str, float]]:
        """The numbers of each target by name, of a `row`."""
        count = len(self.targets.each)
        found = [{name: row[n * count + target] for n, name in enumerate(self._names)} for target in range(count)]
        if not self.tells_units:
            return found
        places: dict[tuple[int, str], float] = {}
        begin = len(self._names) * count
        for units in self.targets:
            k = units.weights.shape[1]
            for target, named in enumerate(units.rows):
                places |= {(target, unit.name): row[begin + target * k + place] for place, unit in enumerate(named)}
            begin += count * k
        for number, own in enumerate(self.targets.each):
            if len(own.units) > 1:
                found[number] |= {f"activation/{unit.name}": places[number, unit.name] for unit in own.units}
        return found

    @property
    def tells_units(self) -> bool:
        """Whether a `row` has the numbers of each unit, too: some target has several."""
        return any(len(target.units) > 1 for target in self.targets.each)
