"""What a verdict goes by, its word, and its explanation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from genviz.classifiers.weight_files.weights import not_finite
from genviz.interfaces import SCORES, Classifier
from genviz.targets.grammar import Target, Unit
from genviz.targets.probabilities import Ending

TOP = 5
_FLAT = 2 / 255  # standard deviation of an image that shows nothing
_SATURATED = 0.5  # share of values at either end of the range


class UnitVerdict(NamedTuple):
    """The response of one of the target's units to the picture."""

    unit: str
    weight: float
    activation: float
    rank: int
    """1 is the strongest; where nothing should fire, the weakest."""
    of: int
    """The number of units of its kind: classes, or filters or neurons of the layer."""


class Reached(NamedTuple):
    """How far a picture is, where there is no rank."""

    score: float
    measures: Mapping[str, float]


def progress(now: Reached, first: Reached | None) -> tuple[str, str]:
    """Whether, and by how much, a picture improved on the initial one: the word, and the explanation."""
    if first is None:
        return "done", ", ".join(f"{name} {value:.4g}" for name, value in now.measures.items())
    told = ", ".join(
        f"{name} {value:.4g} (at first {first.measures[name]:.4g})" for name, value in now.measures.items()
    )
    if now.score > first.score:
        return "improved", told
    return "not improved", f"{told}; try more updates, another optimizer.lr, or less weight of the regularizers"


class Found(NamedTuple):
    """What a verdict goes by."""

    target: Target
    classifier: Classifier
    seen: Mapping[str, Tensor]
    """The picture's activations, (1, ...), by layer."""
    answers: bool
    """Whether all of them are numbers."""
    units: tuple[UnitVerdict, ...]
    ending: Ending
    chance: float | None
    """The probability of the one class of a network with a single score."""
    own: bool
    """Whether the advice can name the settings of ``objective=activation``."""
    contrast: float
    """The largest standard deviation of the picture's three channels, RGB in [0, 1]."""
    extremes: float
    """The share of its values that are at either end of the range."""
    fired: int | None = None
    """The last update in which the target fired, 0 for none; None if that is not known."""

    @property
    def worst(self) -> UnitVerdict:
        """The unit that decides."""
        wanted = [unit for unit, decides in zip(self.units, self.target.decisive, strict=True) if decides]
        return max(wanted, key=lambda unit: unit.rank)

    @property
    def is_alone(self) -> bool:
        """Whether the units have no others to be compared with."""
        return all(unit.of == 1 for unit in self.units) and not self.is_binary

    @property
    def is_binary(self) -> bool:
        """Whether the target is the one class of a network with a single score, or the other."""
        return self.chance is not None and self.worst.unit.startswith("class:")

    @property
    def place(self) -> str:
        """Where the unit that decides is."""
        unit = self.worst
        if self.is_binary:
            return f"{unit.unit} has a probability of {self.chance:.1%}, its score is {unit.activation:.3g}"
        return f"{unit.unit} is at rank {unit.rank} of {unit.of}{' from the weakest' * self.target.silences}"

    @property
    def dead(self) -> list[str]:
        """The units that should fire and that a ReLU keeps at 0."""
        units = zip(self.target.units, self.units, strict=True)
        return [told.unit for unit, told in units if unit.weight > 0 and told.activation == 0 and self._rectified(unit)]

    def _rectified(self, unit: Unit) -> bool:
        """Whether a ReLU makes the unit's layer: one that was seen, or that shows by zeros and nothing below."""
        shows = self.seen[unit.layer].min() == 0 and not (unit.layer == SCORES and self.ending)
        return unit.layer in self.classifier.outline.preactivations or bool(shows)


def fault(found: Found, failure: str | None, *, ranked: bool) -> tuple[str, str] | None:
    """What is wrong with the network or the picture, whatever its rank: the word, and the explanation.

    Args:
        failure: why the training ended early; None if it did not.
        ranked: whether the target's units should be the strongest of their layers.
    """
    answers = found.answers and all(math.isfinite(unit.activation) for unit in found.units)
    if failure is not None or not answers:
        return "diverged", _why_not_finite(found.classifier, failure, answers=answers)
    if ranked and (dead := found.dead):
        wake = "objective.activation.warm_up=200, " if found.own else ""
        since = {None: "", 0: ", and never did"}.get(found.fired, f", and has not since update {found.fired}")
        do = "does" if len(dead) == 1 else "do"
        return "dead", f"{', '.join(dead)} {do} not fire at all{since}; try {wake}more updates, or seed=1"
    if found.contrast < _FLAT:
        ways = "try a smaller weight of the regularizers, or seed=1"
        return "flat", f"the picture shows nothing ({found.place}); {ways}"
    if found.extremes > _SATURATED:
        ways = "try fewer updates, a smaller optimizer.lr, or more weight of the regularizers"
        return "saturated", f"{found.extremes:.0%} of the values are at the ends of the range ({found.place}); {ways}"
    return None


def _why_not_finite(classifier: Classifier, failure: str | None, *, answers: bool) -> str:
    told = "" if failure is None else f"{failure}; "
    if names := not_finite(classifier):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        weights = f"{names[0].removeprefix('network.')}{more}"
        return f"{told}the network has weights that are not finite ({weights}); load finite ones"
    if not answers:
        ways = "it may divide by 0, or overflow in half precision"
        return f"{told}the network answers a sound picture with numbers that are not finite: {ways}"
    return f"{told}the picture is the last sound one; try a smaller optimizer.lr, or seed=1"


def place(found: Found) -> tuple[str, str]:
    """How far the target was reached: the word, and the explanation."""
    told = found.place
    if found.ending in ("softmax", "sigmoid"):
        told += f" (the network ends in a {found.ending}: its scores are probabilities)"
    if _is_reached(found):
        return "recognised", told
    together = found.worst.rank <= sum(found.target.decisive)  # the units of a group take the first ranks
    if not found.is_binary and (
        together or found.worst.rank <= TOP < found.worst.of
    ):  # of five, even the last would be
        return "top five", told
    below = found.worst.unit.startswith("class:") and found.worst.activation <= 0 and not found.target.silences
    wake = "objective.activation.warm_up=200, " if found.own and below else ""
    alone = (
        "objective.activation.lambda_others=0, "
        if found.own and found.worst.of > 1 and not found.target.silences
        else ""
    )
    bare = "the network without it, " if found.ending else ""
    return "not reached", f"{told}; try {bare}more updates, {wake}{alone}or seed=1"


def _is_reached(found: Found) -> bool:
    if not found.is_binary:
        return found.worst.rank == 1
    assert found.chance is not None
    return found.chance < 0.5 if found.target.silences else found.chance > 0.5
