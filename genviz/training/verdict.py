"""The classifier's verdict on the picture that was written, read back from the disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.classifiers.weight_files.weights import not_finite
from genviz.images.notebook import table_html
from genviz.images.pictures import read_image
from genviz.interfaces import SCORES, Classifier, Objective
from genviz.targets.grammar import Target, Unit
from genviz.targets.probabilities import Ending, ending_of, probabilities
from genviz.targets.responses import read, responses, weighted

_TOP = 5
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


class ClassScore(NamedTuple):
    """One of the top classes."""

    number: int
    label: str
    probability: float
    """Softmax over the class scores, or the score itself if that is a probability; sigmoid of a single score."""


class Verdict(NamedTuple):
    """How the classifier responds to a picture, and whether that is what was wanted.

    A notebook shows it as a table of its units and one of the top classes.

    >>> import genviz
    >>> verdict = genviz.visualize("small", "class:harmonica", updates=2, accelerator="cpu").verdicts[0]
    >>> verdict.verdict, len(verdict.top_classes)
    ('not reached', 5)
    """

    verdict: str
    """``recognised``, ``top five``, ``not reached`` or ``dead``; where there is no rank, as of a whole layer or a
    reconstruction, ``improved`` or ``not improved``, ``done`` if the first picture is unknown; ``flat``,
    ``saturated`` or ``diverged``."""
    explanation: str
    activation: float
    """The weighted sum over the target's units."""
    rank: int
    """The worst rank of the units that should fire, or, if none should, of all."""
    units: tuple[UnitVerdict, ...]
    top_classes: tuple[ClassScore, ...]
    measures: dict[str, float]
    """What the objective measures on the picture, by name."""

    def _repr_html_(self) -> str:
        units = [(u.unit, f"{u.activation:.3f}", f"{u.rank} of {u.of}") for u in self.units]
        classes = [(score.label, f"{score.probability:.2%}", place) for place, score in enumerate(self.top_classes, 1)]
        told = f"{self.verdict}: {self.explanation}"
        return table_html(("unit", "activation", "rank"), units, told) + table_html(
            ("class", "probability", "rank"), classes
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return self._asdict() | {
            "units": [unit._asdict() for unit in self.units],
            "top_classes": [score._asdict() for score in self.top_classes],
        }


def judge(
    picture: Path,
    classifier: Classifier,
    target: Target,
    objective: Objective | None = None,
    *,
    first: Tensor | None = None,
    failure: str | None = None,
) -> Verdict:
    """Measure the PNG ``picture`` and return the verdict.

    Args:
        objective: what it was optimised for; None: the target's units should be the strongest of their layers.
        first: the picture before any update, RGB in [0, 1], (1, 3, h, w).
        failure: why its training ended early; None if it did not.

    >>> import genviz, tempfile, pathlib
    >>> classifier = genviz.load_classifier("small")
    >>> seen = genviz.visualize(classifier, "class:harmonica", updates=2, accelerator="cpu")
    >>> picture = seen.save(pathlib.Path(tempfile.mkdtemp()) / "harmonica.png")
    >>> target = genviz.parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    >>> genviz.judge(picture, classifier, target).rank == seen.verdicts[0].rank
    True
    """
    return judge_image(read_image(picture), classifier, target, objective, first=first, failure=failure)


@torch.no_grad()
def judge_image(
    image: Tensor,
    classifier: Classifier,
    target: Target,
    objective: Objective | None = None,
    *,
    first: Tensor | None = None,
    failure: str | None = None,
) -> Verdict:
    """`judge` of an image as it would be written, RGB in [0, 1], (1, 3, h, w)."""
    image = image.to(classifier.device)
    layers = tuple(dict.fromkeys((*target.layers, *(() if objective is None else objective.layers), SCORES)))
    seen = classifier(image, layers)
    reading = read(target, seen)
    units = tuple(
        UnitVerdict(unit.name, unit.weight, activation, rank, responses(seen[unit.layer], unit.kind).shape[1])
        for unit, activation, rank in zip(
            target.units, reading.activations[0].tolist(), reading.ranks[0].tolist(), strict=True
        )
    )
    ending, labels = ending_of(classifier), classifier.outline.labels
    chances = probabilities(seen[SCORES], ending)[0]
    best = chances.topk(min(_TOP, len(labels)))
    top = tuple(ClassScore(i, labels[i], p) for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True))
    own = objective is None or "activation" in getattr(objective, "parts", ())  # the advice can then name its settings
    found = _Found(target, classifier, seen, units, ending, chances[0].item() if len(chances) == 1 else None, own)
    ranked = objective is None or objective.ranked
    fault = _fault(found, image, failure, ranked=ranked)
    word, explanation = fault or _place(found)
    measures = {} if objective is None else {name: value.item() for name, value in objective.measure(seen).items()}
    alone = all(unit.of == 1 for unit in units) and not found.is_binary
    if fault is None and (alone or not ranked):
        before = None if first is None else _Reached.of(target, objective, classifier(first.to(image), layers))
        word, explanation = _progress(_Reached.of(target, objective, seen), before)
    activation = weighted(target, reading.activations)[0].item()
    rank = max(unit.rank for unit, decides in zip(units, target.decisive, strict=True) if decides)
    return Verdict(word, explanation, activation, rank, units, top, measures)


class _Reached(NamedTuple):
    """How far a picture is, where there is no rank."""

    score: float
    measures: Mapping[str, float]

    @classmethod
    def of(cls, target: Target, objective: Objective | None, seen: Mapping[str, Tensor]) -> _Reached:
        """By the objective; of one that asks for the strongest unit where there is only one, by its activation."""
        if objective is None or objective.ranked:
            activation = weighted(target, read(target, seen).activations)[0].item()
            return cls(activation, {"activation": activation})
        return cls(objective(seen).item(), {name: value.item() for name, value in objective.measure(seen).items()})


def _progress(now: _Reached, first: _Reached | None) -> tuple[str, str]:
    """Whether, and by how much, a picture improved on the initial one."""
    if first is None:
        return "done", ", ".join(f"{name} {value:.4g}" for name, value in now.measures.items())
    told = ", ".join(
        f"{name} {value:.4g} (at first {first.measures[name]:.4g})" for name, value in now.measures.items()
    )
    if now.score > first.score:
        return "improved", told
    return "not improved", f"{told}; try more updates, another optimizer.lr, or less weight of the regularizers"


class _Found(NamedTuple):
    """What a verdict goes by."""

    target: Target
    classifier: Classifier
    seen: Mapping[str, Tensor]
    units: tuple[UnitVerdict, ...]
    ending: Ending
    chance: float | None
    """The probability of the one class of a network with a single score."""
    own: bool
    """Whether the advice can name the settings of ``objective=activation``."""

    @property
    def worst(self) -> UnitVerdict:
        """The unit that decides."""
        wanted = [unit for unit, decides in zip(self.units, self.target.decisive, strict=True) if decides]
        return max(wanted, key=lambda unit: unit.rank)

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


def _fault(found: _Found, image: Tensor, failure: str | None, *, ranked: bool) -> tuple[str, str] | None:
    """What is wrong with the network or the picture, whatever its rank."""
    numbers = all(math.isfinite(unit.activation) for unit in found.units)
    answers = numbers and not any(bool(values.isnan().any()) for values in found.seen.values())
    if failure is not None or not answers:
        return "diverged", _why_not_finite(found.classifier, failure, answers=answers)
    if ranked and (dead := found.dead):
        wake = "objective.activation.warm_up=200, " if found.own else ""
        return "dead", f"{', '.join(dead)} does not fire at all; try {wake}more updates, or seed=1"
    if image.std(dim=(2, 3)).max() < _FLAT:
        ways = "try a smaller weight of the regularizers, or seed=1"
        return "flat", f"the picture shows nothing ({found.place}); {ways}"
    extremes = ((image == 0) | (image == 1)).float().mean().item()
    if extremes > _SATURATED:
        ways = "try fewer updates, a smaller optimizer.lr, or more weight of the regularizers"
        return "saturated", f"{extremes:.0%} of the values are at the ends of the range ({found.place}); {ways}"
    return None


def _why_not_finite(classifier: Classifier, failure: str | None, *, answers: bool) -> str:
    told = "" if failure is None else f"{failure}; "
    if names := not_finite(classifier):
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        weights = f"{names[0].removeprefix('network.')}{more}"
        return f"{told}the network has weights that are not finite ({weights}); give it sound ones"
    if not answers:
        ways = "it may divide by 0, or overflow in half precision"
        return f"{told}the network answers a sound picture with numbers that are not finite: {ways}"
    return f"{told}the picture is the last sound one; try a smaller optimizer.lr, or seed=1"


def _place(found: _Found) -> tuple[str, str]:
    """How far the target was reached."""
    told = found.place
    if found.ending in ("softmax", "sigmoid"):
        told += f" (the network ends in a {found.ending}: its scores are probabilities)"
    if _is_reached(found):
        return "recognised", told
    together = found.worst.rank <= sum(found.target.decisive)  # the units of a group take the first ranks
    if not found.is_binary and (
        together or found.worst.rank <= _TOP < found.worst.of
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


def _is_reached(found: _Found) -> bool:
    if not found.is_binary:
        return found.worst.rank == 1
    assert found.chance is not None
    return found.chance < 0.5 if found.target.silences else found.chance > 0.5
