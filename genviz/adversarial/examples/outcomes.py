"""What became of a picture: what the network says before and after, on the file as written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.adversarial.answers import check_classes
from genviz.adversarial.success import Success
from genviz.interfaces import SCORES, Classifier
from genviz.targets.grammar import Target
from genviz.targets.probabilities import ending_of, probabilities
from genviz.targets.units import Targets

_TOP = 5
_LEVELS = 255
_LIKELY = 0.5


class Said(NamedTuple):
    """A class that a network names in a picture."""

    label: str
    number: int
    probability: float


class Seen(NamedTuple):
    """What a network sees in a picture."""

    top: tuple[Said, ...]
    """The five most probable classes."""
    chances: Tensor
    """Of all classes, (classes,)."""
    activation: float
    """Of the target."""
    independent: bool = False
    """Whether classes do not compete, as those of a detector."""

    def shows(self, number: int) -> bool:
        """Whether the network sees this class: the one that it names; of independent ones, any likelier than not."""
        return float(self.chances[number]) > _LIKELY if self.independent else self.top[0].number == number

    @property
    def labels(self) -> set[str]:
        """Of the classes among the five that it `shows`."""
        return {said.label for said in self.top if self.shows(said.number)}


class Outcome(NamedTuple):
    """One picture, before and after."""

    target: str
    epsilon: float
    """Allowed, in units of [0, 1]."""
    success: bool | None
    """None if the target has no class to be named or left."""
    levels: int
    """The largest change of a value, in units of 1/255."""
    length: float
    """Euclidean norm of the perturbation, in units of [0, 1]."""
    before: tuple[Said, ...]
    after: tuple[Said, ...]
    rank: int | None
    """Afterwards, of the target's first class."""
    chances: tuple[float, float] | None
    """Of that class, before and after."""
    activations: tuple[float, float]
    """Of the target, before and after."""
    other: tuple[Said, Said] | None
    """What a second network says, before and after."""
    transfers: bool | None
    """Whether that is a success, too."""
    flat: bool = False
    """Whether an attack failed and had a gradient of 0; of several epsilons, at any of them."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        made = self._asdict()
        for name in ("before", "after"):
            made[name] = [said._asdict() for said in made[name]]
        made["other"] = None if self.other is None else [said._asdict() for said in self.other]
        return made

    @classmethod
    def of_dict(cls, data: dict[str, Any]) -> Outcome:
        """The inverse of `as_dict`."""
        made = dict(data)
        for name in ("before", "after"):
            made[name] = tuple(Said(**said) for said in made[name])
        other = made["other"]
        made["other"] = None if other is None else (Said(**other[0]), Said(**other[1]))
        made["chances"] = None if made["chances"] is None else tuple(made["chances"])
        made["activations"] = tuple(made["activations"])
        return cls(**made)

    def explanation(self) -> str:
        """One line for people."""
        before, after = self.before[0], self.after[0]
        line = f"{before.label} {before.probability:.1%} -> {after.label} {after.probability:.1%}"
        if self.success is None:
            line += f"; activation {self.activations[0]:.4g} -> {self.activations[1]:.4g}"
        line += f"; at most {self.levels}/255, l2 {self.length:.3g}"
        if self.other is not None:
            line += f"; another network: {self.other[0].label} -> {self.other[1].label}"
        return line


@torch.no_grad()
def see(
    classifier: Classifier, images: Tensor, targets: Sequence[Target] | Callable[[int, Said], Target] | None
) -> list[Seen]:
    """What a network sees in each of ``images`` (n, 3, h, w), with the activation of each one's target.

    Args:
        targets: one for each image; or a function that makes one, of classes, of the image's place and what is said.

    Raises:
        UserError: the network has no classes.
    """
    if not classifier.outline.labels:
        check_classes(classifier.outline)
    layers = (SCORES,) if targets is None or callable(targets) else (*Targets(targets).layers, SCORES)
    seen = classifier.in_turn(images.to(classifier.device), tuple(dict.fromkeys(layers)), len(images))
    chances = probabilities(seen[SCORES], ending_of(classifier)).float().cpu()
    labels = classifier.outline.labels
    best = chances.topk(min(_TOP, chances.shape[1]))
    top = [
        tuple(Said(labels[n], n, p) for p, n in zip(values, numbers, strict=True))
        for values, numbers in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
    if callable(targets):
        targets = [targets(place, said[0]) for place, said in enumerate(top)]
    activations = [0.0] * len(images)
    if targets is not None:
        activations = Targets(targets).to(classifier.device).activation(seen).tolist()
    own = classifier.independent
    return [Seen(*each, independent=own) for each in zip(top, chances, activations, strict=True)]


def outcome(
    target: Target,
    epsilon: float,
    images: tuple[Tensor, Tensor],
    seen: tuple[Seen, Seen],
    other: tuple[Seen, Seen] | None,
    labels: Sequence[str],
) -> Outcome:
    """Compare a picture with its original, both (3, h, w) as read from files, and what the networks see in them.

    Args:
        images: before and after.
        seen: by the attacked network, before and after.
        other: by a second one.
        labels: of the attacked network's classes.
    """
    change = images[1] - images[0]
    before, after = seen
    unit = target.units[0]
    is_class = unit.kind == "class"
    number = unit.index[0] if is_class else 0
    chances = (float(before.chances[number]), float(after.chances[number])) if is_class else None
    said = None if other is None else (other[0].top[0], other[1].top[0])
    return Outcome(
        str(target),
        epsilon,
        succeeds(target, after),
        round(float(change.abs().max()) * _LEVELS),
        float(change.double().norm()),
        before.top,
        after.top,
        1 + int((after.chances > after.chances[number]).sum()) if is_class else None,
        chances,
        (before.activation, after.activation),
        said,
        None if other is None else _transfers(target, *other, labels),
    )


def succeeds(target: Target, seen: Seen) -> bool | None:
    """Whether what a network sees is what the attack is for; None for targets that are not of classes alone."""
    if not target.is_of_classes:
        return None
    wanted = [unit.index[0] for unit in target.units if unit.weight > 0]
    if wanted:
        return any(seen.shows(number) for number in wanted)
    return not any(seen.shows(unit.index[0]) for unit in target.units)


def _transfers(target: Target, before: Seen, after: Seen, labels: Sequence[str]) -> bool | None:
    """Whether a second network, whose numbers of classes may be others, is fooled: by the label, or by a change."""
    if not target.is_of_classes:
        return None
    wanted = {labels[unit.index[0]] for unit in target.units if unit.weight > 0}
    return bool(wanted & after.labels) if wanted else before.top[0].label not in after.labels


def summary(outcomes: list[Outcome], left: int) -> list[str]:
    """What to say of many pictures.

    Args:
        left: how many were left alone, as the network had them wrong.
    """
    known = [each for each in outcomes if each.success is not None]
    lines = []
    if known:
        fooled = Success(sum(bool(each.success) for each in known), len(known))
        lines.append(f"fooled      {fooled} of {fooled.of}")
    else:
        rose = sum(each.activations[1] > each.activations[0] for each in outcomes)
        lines.append(f"rose        the target's activation in {rose} of {len(outcomes)}")
    if outcomes and outcomes[0].transfers is not None:
        fooled = Success(sum(bool(each.transfers) for each in outcomes), len(outcomes))
        lines.append(f"another     {fooled} of {fooled.of}, without being attacked")
    if left:
        lines.append(f"left alone  {left}, in which the network is wrong to begin with, or says the target already")
    lines.append(f"largest     {max(each.levels for each in outcomes)}/255, mean l2 {_mean(outcomes):.4g}")
    return lines


def _mean(outcomes: list[Outcome]) -> float:
    return sum(each.length for each in outcomes) / max(len(outcomes), 1)
