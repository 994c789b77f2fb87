"""The classifier's verdict on the picture that was written, read back from the disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.images.notebook import table_html
from genviz.images.pictures import read_image
from genviz.interfaces import SCORES, Classifier, Objective
from genviz.targets.grammar import Target
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
    """1 is the strongest."""
    of: int
    """The number of units of its kind: classes, or filters or neurons of the layer."""


class ClassScore(NamedTuple):
    """One of the top classes."""

    number: int
    label: str
    probability: float
    """Softmax over the class scores."""


class Verdict(NamedTuple):
    """How the classifier responds to a picture, and whether that is what was wanted.

    A notebook shows it as a table of its units and one of the top classes.

    >>> import genviz
    >>> verdict = genviz.visualize("small", "class:harmonica", updates=2, accelerator="cpu").verdicts[0]
    >>> verdict.verdict, len(verdict.top_classes)
    ('not reached', 5)
    """

    verdict: str
    """``recognised``, ``top five``, ``not reached`` or ``dead``; for objectives without a rank, ``improved`` or
    ``not improved``; ``flat``, ``saturated`` or ``diverged``."""
    explanation: str
    activation: float
    """The weighted sum over the target's units."""
    rank: int
    """The worst rank of the units that should fire."""
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
    device = next(classifier.parameters()).device
    image = image.to(device)
    layers = tuple(dict.fromkeys((*target.layers, *(() if objective is None else objective.layers), SCORES)))
    seen = classifier(image, layers)
    reading = read(target, seen)
    units = tuple(
        UnitVerdict(unit.name, unit.weight, activation, rank, responses(seen[unit.layer], unit.kind).shape[1])
        for unit, activation, rank in zip(
            target.units, reading.activations[0].tolist(), reading.ranks[0].tolist(), strict=True
        )
    )
    labels = classifier.outline.labels
    best = seen[SCORES][0].softmax(0).topk(min(_TOP, len(labels)))
    top = tuple(ClassScore(i, labels[i], p) for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True))
    extremes = ((image == 0) | (image == 1)).float().mean().item()
    ranked = objective is None or objective.ranked
    own = objective is None or "activation" in getattr(objective, "parts", ())  # the advice can then name its settings
    contrast = image.std(dim=(2, 3)).max().item()
    word, explanation = _words(units, contrast, extremes, failure, ranked=ranked, own=own)
    measures = {} if objective is None else {name: value.item() for name, value in objective.measure(seen).items()}
    if objective is not None and not ranked and word not in ("diverged", "flat", "saturated"):
        before = None if first is None else classifier(first.to(device), layers)
        word, explanation = _progress(objective, seen, before)
    activation = weighted(target, reading.activations)[0].item()
    rank = max(unit.rank for unit in units if unit.weight > 0)
    return Verdict(word, explanation, activation, rank, units, top, measures)


def _progress(objective: Objective, seen: Mapping[str, Tensor], before: Mapping[str, Tensor] | None) -> tuple[str, str]:
    """Whether, and by how much, a picture improved on the initial one for an objective."""
    now = {name: value.item() for name, value in objective.measure(seen).items()}
    if before is None:
        return "done", ", ".join(f"{name} {value:.4g}" for name, value in now.items())
    was = {name: value.item() for name, value in objective.measure(before).items()}
    told = ", ".join(f"{name} {value:.4g} (at first {was[name]:.4g})" for name, value in now.items())
    if objective(seen).item() > objective(before).item():
        return "improved", told
    return "not improved", f"{told}; try more updates, another optimizer.lr, or less weight of the regularizers"


def _words(
    units: tuple[UnitVerdict, ...], contrast: float, extremes: float, failure: str | None, *, ranked: bool, own: bool
) -> tuple[str, str]:
    wanted = [unit for unit in units if unit.weight > 0]
    worst = max(wanted, key=lambda unit: unit.rank)
    place = f"{worst.unit} is at rank {worst.rank} of {worst.of}"
    if failure is not None:
        return "diverged", f"{failure}; the picture is the last sound one; try a smaller optimizer.lr, or seed=1"
    if ranked and (dead := [unit.unit for unit in wanted if unit.activation <= 0]):
        wake = "objective.activation.warm_up=200, " if own else ""
        return "dead", f"{', '.join(dead)} does not fire at all; try {wake}more updates, or seed=1"
    if contrast < _FLAT:
        return "flat", f"the picture shows nothing ({place}); try a smaller weight of the regularizers, or seed=1"
    if extremes > _SATURATED:
        ways = "try fewer updates, a smaller optimizer.lr, or more weight of the regularizers"
        return "saturated", f"{extremes:.0%} of the values are at the ends of the range ({place}); {ways}"
    if worst.rank == 1:
        return "recognised", place
    if worst.rank <= _TOP:
        return "top five", place
    alone = "objective.activation.lambda_others=0, " if own else ""
    return "not reached", f"{place}; try more updates, {alone}or seed=1"
