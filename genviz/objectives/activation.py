"""Despraz's objective: the target fires, the other units of its layer do not."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Objective, Outline
from genviz.targets.grammar import Target, Unit
from genviz.targets.responses import position, responses, weighted


class Activation(Objective):
    """sum_t w_t a_t - lambda sum_{j not in T} relu(a_j) (Despraz et al. 2017, Eq. 2 without R, larger is better).

    For a class, a is the score after a ReLU (instead of the softmax); for other units, the layer's activation.

    A dead target, a = 0, has no gradient. So the first ``warm_up`` updates maximize the weighted sum of the
    pre-activations and ignore the other units; later, a dead unit is replaced by its pre-activation. Where the target
    fires, this is Eq. 2, with the same optimum. Where nothing should fire, the other units do not count, and the same
    holds of a unit that is silent already.

    Args:
        target: T and its weights w.
        outline: the classifier's; names the pre-activations.
        lambda_others: lambda; None for 10 / (units of the layer), the paper's 10/1000 for 1,000 classes; 0 for no
            penalty.
        warm_up: updates before Eq. 2 applies; 0 for Eq. 2 alone, dead targets included.
        ramp: updates over which lambda rises to its value; 0 for full lambda from the start.
        weight: of the score in a sum of objectives.
    """

    ranked = True

    def __init__(
        self,
        target: Target,
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
        self.target, self.warm_up, self.ramp, self.weight = target, int(warm_up), int(ramp), float(weight)
        self.lambda_others = None if lambda_others is None else float(lambda_others)
        known = {} if outline is None else outline.preactivations
        self.preactivations = {layer: known[layer] for layer in target.layers if warm_up and layer in known}

    @property
    def layers(self) -> tuple[str, ...]:
        return (*self.target.layers, *self.preactivations.values())

    def forward(self, seen: Mapping[str, Tensor]) -> Tensor:
        warming = self.update < self.warm_up
        fire = torch.stack([self._fire(unit, seen, warming) for unit in self.target.units], 1)  # (n, units)
        score = weighted(self.target, fire)
        share = min(1.0, self.update / self.ramp) if self.ramp else 1.0
        return score if warming else score - share * self._others(seen)

    def _fire(self, unit: Unit, seen: Mapping[str, Tensor], warming: bool) -> Tensor:
        response = _response(unit, seen[unit.layer])
        activation = response.relu() if unit.kind == "class" else response
        if not self.warm_up or (unit.weight < 0 and not self.target.silences):
            return activation
        before = _response(unit, seen[self.preactivations.get(unit.layer, unit.layer)])
        return before if warming else torch.where(activation == 0, before, activation)

    def _others(self, seen: Mapping[str, Tensor]) -> Tensor:
        """lambda times the sum over the units that are not targets, (n,), for each layer and kind."""
        penalty = torch.zeros(())
        if self.target.silences:
            return penalty
        for layer, kind in dict.fromkeys((unit.layer, unit.kind) for unit in self.target.units):
            everything = responses(seen[layer], kind)
            weight = 10 / everything.shape[1] if self.lambda_others is None else self.lambda_others
            if weight and kind != "layer":
                others = self._untargeted(layer, seen[layer].shape[1:])  # (c, ...)
                chosen = others.flatten() if kind == "neuron" else others.flatten(1).all(1)
                penalty = penalty + weight * everything[:, chosen.to(everything.device)].relu().sum(1)
        return penalty

    def _untargeted(self, layer: str, shape: torch.Size) -> Tensor:
        """Mask of the layer's neurons that belong to no target, (c, ...) or (c, 1)."""
        neurons = torch.ones(shape if len(shape) > 1 else (*shape, 1), dtype=torch.bool)
        for unit in self.target.units:
            if unit.layer == layer:
                neurons[unit.index] = False  # a filter's index selects a channel, a layer's everything
        return neurons


def _response(unit: Unit, activation: Tensor) -> Tensor:
    return responses(activation, unit.kind)[:, position(unit, activation)]
