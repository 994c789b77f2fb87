"""The classifier's verdict on the picture that was written, read back from the disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.images.notebook import table_html
from genviz.images.pictures import read_image
from genviz.interfaces import SCORES, Classifier, Objective
from genviz.targets.grammar import Target, Unit
from genviz.targets.probabilities import ending_of, probabilities
from genviz.targets.units import Reading, Targets
from genviz.training.findings import TOP, Found, Reached, UnitVerdict, fault, place, progress


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
    firsts = None if first is None else [first]
    (verdict,) = judge_images(
        read_image(picture), classifier, Targets(target), objective, firsts=firsts, failures=[failure]
    )
    return verdict


@torch.no_grad()
def judge_images(
    images: Tensor,
    classifier: Classifier,
    targets: Targets,
    objective: Objective | None = None,
    *,
    firsts: Sequence[Tensor | None] | None = None,
    failures: Sequence[str | None],
    fired: Sequence[int | None] | None = None,
    at_once: int = 1,
) -> list[Verdict]:
    """`judge` of images as they would be written, RGB in [0, 1], (n, 3, h, w), shared out evenly among the targets.

    Args:
        objective: for all of the targets.
        firsts: the pictures before any update, (1, 3, h, w) each.
        failures: one for each image.
        fired: for each image, the last update in which its target fired, 0 for none.
        at_once: how many images go through the network together.
    """
    images, targets = images.to(classifier.device), targets.to(classifier.device)
    layers = tuple(dict.fromkeys((*targets.layers, *(() if objective is None else objective.layers), SCORES)))
    seen = classifier.in_turn(images, layers, at_once)
    reading = targets.read(seen)
    ending = ending_of(classifier)
    chances = probabilities(seen[SCORES], ending)
    top = _top(chances, classifier.outline.labels)
    units = _units(targets, reading)
    ranked = objective is None or objective.ranked
    broken = torch.stack([values.flatten(1).isnan().any(1) for values in seen.values()]).any(0)
    facts = zip(
        *(broken.tolist(), chances[:, :1].sum(1).tolist(), images.std(dim=(2, 3)).amax(1).tolist()),
        ((images == 0) | (images == 1)).float().mean((1, 2, 3)).tolist(),
        strict=True,
    )
    found = [
        Found(
            target=target,
            classifier=classifier,
            seen={layer: values[number : number + 1] for layer, values in seen.items()},
            answers=not is_broken,
            units=units[number],
            ending=ending,
            chance=chance if chances.shape[1] == 1 else None,
            own=objective is None
            or "activation" in getattr(objective, "parts", ()),  # the advice can name its settings
            contrast=contrast,
            extremes=extremes,
            fired=None if fired is None else fired[number],
        )
        for number, (target, (is_broken, chance, contrast, extremes)) in enumerate(
            zip(_spread(targets, len(images)), facts, strict=True)
        )
    ]
    words = [fault(each, failure, ranked=ranked) for each, failure in zip(found, failures, strict=True)]
    unplaced = [word is None and (not ranked or each.is_alone) for word, each in zip(words, found, strict=True)]
    if any(unplaced):
        now = _reached(targets, objective, seen)
        begun: list[Reached | None] = [None] * len(images)
        if firsts is not None and any(first is not None for first in firsts):
            pictures = [image[None] if first is None else first for image, first in zip(images, firsts, strict=True)]
            before = classifier.in_turn(torch.cat(pictures).to(images), layers, at_once)
            reached = _reached(targets, objective, before)
            begun = [None if first is None else own for first, own in zip(firsts, reached, strict=True)]
        words = [progress(now[n], begun[n]) if unplaced[n] else word for n, word in enumerate(words)]
    measures = [{}] * len(images) if objective is None else _by_image(objective.measure(seen))
    told = [word or place(each) for word, each in zip(words, found, strict=True)]
    return [
        Verdict(word, explanation, activation, rank, own, classes, measured)
        for (word, explanation), activation, rank, own, classes, measured in zip(
            told, reading.activation.tolist(), reading.rank.tolist(), units, top, measures, strict=True
        )
    ]


def _spread(targets: Targets, images: int) -> list[Target]:
    """The target of each image."""
    return [target for target in targets.each for _ in range(images // len(targets.each))]


def _top(chances: Tensor, labels: Sequence[str]) -> list[tuple[ClassScore, ...]]:
    """The most probable classes of each image, (n, classes)."""
    best = chances.topk(min(TOP, len(labels)))
    return [
        tuple(ClassScore(number, labels[number], chance) for chance, number in zip(*row, strict=True))
        for row in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def _units(targets: Targets, reading: Reading) -> list[tuple[UnitVerdict, ...]]:
    """What the units of each image's target do."""
    activations, ranks = ([each.tolist() for each in values] for values in (reading.activations, reading.ranks))
    images = len(reading.activation)
    verdicts = []
    for number, target in enumerate(_spread(targets, images)):
        own: dict[Unit, UnitVerdict] = {}
        for group, units in enumerate(targets):
            for column, unit in enumerate(units.rows[number * len(targets.each) // images]):
                response = activations[group][number][column], ranks[group][number][column], reading.counts[group]
                own[unit] = UnitVerdict(unit.name, unit.weight, *response)
        verdicts.append(tuple(own[unit] for unit in target.units))
    return verdicts


def _reached(targets: Targets, objective: Objective | None, seen: Mapping[str, Tensor]) -> list[Reached]:
    """How far each image is by the objective; by one that asks for the strongest unit, by the activation."""
    if objective is None or objective.ranked:
        return [Reached(value, {"activation": value}) for value in targets.activation(seen).tolist()]
    measured = _by_image(objective.measure(seen))
    return [Reached(score, own) for score, own in zip(objective(seen).tolist(), measured, strict=True)]


def _by_image(measured: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """What was measured of each image, without what another image's target alone has."""
    columns = {name: values.tolist() for name, values in measured.items()}
    common = {name for name, values in columns.items() if all(map(math.isnan, values))}
    return [
        {name: value for name, value in zip(columns, row, strict=True) if name in common or not math.isnan(value)}
        for row in zip(*columns.values(), strict=True)
    ]
