"""Despraz's objective: the target fires, the other units of its layer do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.interfaces import Objective, Outline
from genviz.targets.grammar import Target
from genviz.targets.others import Others
from genviz.targets.units import Targets, Units


class Activation(Objective):
    """sum_t w_t a_t - lambda sum_{j not in T} relu(a_j) (Despraz et al. 2017, Eq. 2 without R, larger is better).

    For a class, a is the score after a ReLU (instead of the softmax); for other units, the layer's activation.

    A dead target, a = 0, has no gradient. So the first ``warm_up`` updates maximize the weighted sum of the
    pre-activations and ignore the other units; later, a dead unit is replaced by its pre-activation. Where the target
    fires, this is Eq. 2, with the same optimum. Where nothing should fire, the other units do not count, and the same
    holds of a unit that is silent already.

    Args:
        target: T and its weights w; or several, one for each image.
        outline: the classifier's; names the pre-activations.
        lambda_others: lambda; None for 10 / (units of the layer), the paper's 10/1000 for 1,000 classes; 0 for no
            penalty.
        warm_up: updates before Eq. 2 applies; 0 for Eq. 2 alone, dead targets included.
        ramp: updates over which lambda rises to its value; 0 for full lambda from the start.
        weight: of the score in a sum of objectives.
    """

    ranked = True
    takes_many = True

    def __init__(
        self,
        target: Target | Sequence[Target],
        outline: Outline | None = None,
        *,
        lambda_others: float | None = None,
        warm_up: int = 0,
        ramp: int = 0,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        if ramp < 0 or warm_up < 0:
            raise UserError(
                f"objective.activation: ramp={ramp} and warm_up={warm_up} must be numbers of updates, 0 or more"
            )
        self.targets, self.warm_up, self.ramp, self.weight = Targets(target), int(warm_up), int(ramp), float(weight)
        self.lambda_others = None if lambda_others is None else float(lambda_others)
        known = {} if outline is None else outline.preactivations
        self.preactivations = {layer: known[layer] for layer in self.targets.layers if warm_up and layer in known}
        self.others = nn.ModuleList(Others(units, self.targets.each) for units in self.targets)

    @property
    def layers(self) -> tuple[str, ...]:
        return (*self.targets.layers, *self.preactivations.values())

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        score = self.targets.total(lambda units: self._fire(units, seen))
        share = self._share(score.dtype)
        return score if isinstance(share, float) and share == 0 else score - share * self._others(seen)

    def _share(self, dtype: torch.dtype) -> float | Tensor:
        """How much the other units count by now, from 0 in the warm-up to 1."""
        if isinstance(self.update, Tensor):
            risen = (self.update.to(dtype) / self.ramp).clamp(max=1) if self.ramp else 1.0
            return risen * (self.update >= self.warm_up)
        return 0.0 if self.update < self.warm_up else min(1.0, self.update / self.ramp) if self.ramp else 1.0

    def _fire(self, units: Units, seen: Mapping[str, Tensor]) -> Tensor:
        response = units.responses(seen[units.layer])
        activation = response.relu() if units.kind == "class" else response
        if not self.warm_up:
            return activation
        before = units.responses(seen[self.preactivations.get(units.layer, units.layer)])
        asleep = units.spread(units.decides, len(before))
        return torch.where(asleep & ((activation == 0) | (self.update < self.warm_up)), before, activation)

    def _others(self, seen: Mapping[str, Tensor]) -> Tensor:
        """lambda times the sum over the units that are not targets, (n,), for each layer and kind."""
        penalty = torch.zeros(())
        for units, others in zip(self.targets, self.others, strict=True):
            weight = 10 / units.of(seen[units.layer]) if self.lambda_others is None else self.lambda_others
            if weight and others.exist:
                penalty = penalty + weight * others(seen[units.layer])
        return penalty
