"""What should fire: parsing a string, ``class:ostrich@0.7+bullfrog@0.3``, into a classifier's units.

    target = piece *("+" piece)
    piece  = [kind ":" [layer ":"]] unit ["@" weight]

    class:harmonica   class:593     a class, by label or number
    filter:relu5_1:3                a filter: the mean of a channel over its positions
    neuron:relu5_1:12:3:4           one neuron: channel, row, column
    layer:relu4_3                   a layer: the mean of all of its units
    filter:relu5_1:3@-1             what silences a filter; the other class, ``class:0@-1``, of a network with one score

    filter:fire8:top5:harmonica     the five filters of a layer that contribute most to a class; ``bottom5``: least

A piece without a kind takes the kind and layer of the piece before it: ``filter:relu5_1:3+7+12``. The activation of a
group or mixture is the weighted sum of its units' (Despraz et al. 2017, sections 5.3 and 5.4). For ``top5``,
`genviz.analysis.contributions` finds the filters, and `genviz.targets.selections` puts them into the string before
`parse_target` reads it. Nothing here needs quotes in a shell or in Hydra.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from genviz.errors import UserError, shown
from genviz.files import short_name
from genviz.interfaces import SCORES, Layer
from genviz.targets.labels import find_class, slug, spelt
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.spelling import EXAMPLES, check_spelling

Kind = Literal["class", "filter", "neuron", "layer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SELECTION = re.compile(r"(top|bottom)(\d*)(?::(.*))?", re.IGNORECASE | re.ASCII | re.DOTALL)
"""Filters by their contribution to a class: ``top5:harmonica``; see `genviz.targets.selections`."""

_WEIGHT = re.compile(r"-?(\d+\.?\d*|\.\d+)(e-?\d+)?", re.IGNORECASE | re.ASCII)
_AXES = {
    1: ("channel",),
    2: ("channel", "token"),
    3: ("channel", "row", "column"),
    4: ("channel", "frame", "row", "column"),
}


@dataclass(frozen=True)
class Unit:
    """One unit that should fire: a class, a filter, a neuron or a whole layer."""

    kind: Kind
    layer: str
    index: tuple[int, ...]
    """``(class,)``, ``(channel,)``, ``(channel, row, column)``, or ``()`` for a layer."""
    weight: float
    """Positive: it should fire; negative: it should not."""
    piece: str
    """How the target string spells the unit: ``harmonica``, ``3``, ``12:3:4``, ``relu4_3``."""

    @property
    def prefix(self) -> str:
        """The text before the piece: ``class:``, ``filter:relu5_1:``."""
        return f"{self.kind}:{self.layer}:" if self.kind in ("filter", "neuron") else f"{self.kind}:"

    @property
    def name(self) -> str:
        """The unit without its weight: ``class:harmonica``."""
        return self.prefix + self.piece


@dataclass(frozen=True)
class Target:
    """The units that should fire, each with its weight.

    >>> import genviz
    >>> outline = genviz.load_classifier("small").outline
    >>> target = genviz.parse_target("class:ostrich@0.7+bullfrog@0.3", outline.labels, outline.layers)
    >>> [(unit.name, unit.weight) for unit in target.units]
    [('class:ostrich', 0.7), ('class:bullfrog', 0.3)]
    """

    units: tuple[Unit, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of the units, each once."""
        return tuple(dict.fromkeys(unit.layer for unit in self.units))

    @property
    def silences(self) -> bool:
        """Whether nothing should fire: all weights are negative."""
        return all(unit.weight < 0 for unit in self.units)

    @property
    def is_of_classes(self) -> bool:
        """Whether every unit is a class."""
        return all(unit.kind == "class" for unit in self.units)

    @property
    def decisive(self) -> tuple[bool, ...]:
        """For each unit, whether the target is reached only with it: those that should fire, or if none should, all."""
        return tuple(unit.weight > 0 or self.silences for unit in self.units)

    def __str__(self) -> str:
        """The target in its shortest spelling, which parses to the same target."""
        pieces, before = [], ""
        for unit in self.units:
            weight = "" if unit.weight == 1 else "@" + repr(unit.weight).replace("e+", "e")
            pieces.append((unit.prefix if unit.prefix != before else "") + unit.piece + weight)
            before = unit.prefix
        return "+".join(pieces)

    @property
    def folder(self) -> str:
        """The target as a folder name, the same for every spelling of it: ``class-harmonica``."""
        return short_name(re.sub(r"[^\w+@.]", "-", str(self)))


def parse_target(text: str, labels: Sequence[str], layers: Sequence[Layer]) -> Target:
    """Read the target string ``text``, for a classifier with these ``labels`` and ``layers``.

    Raises:
        UserError: the string is malformed, or names what the classifier does not have.

    >>> import genviz
    >>> outline = genviz.load_classifier("small").outline
    >>> str(genviz.parse_target("class:593", outline.labels, outline.layers))
    'class:harmonica'
    """
    units: list[Unit] = []
    for piece in check_spelling(text).split("+"):
        unit = _parse_piece(piece.strip(), text, units[-1] if units else None, labels, layers)
        if any((unit.kind, unit.layer, unit.index) == (other.kind, other.layer, other.index) for other in units):
            raise UserError(
                f"target {shown(text)!r} names {unit.name} twice; give it a weight instead, such as {unit.piece}@2"
            )
        units.append(unit)
    return Target(tuple(units))


def _parse_piece(piece: str, text: str, before: Unit | None, labels: Sequence[str], layers: Sequence[Layer]) -> Unit:
    body, at, weight_text = piece.partition("@")
    first, colon, rest = body.partition(":")
    kind = next((k for k in KINDS if colon and k == first.strip().casefold()), None)
    layer: Layer | None = None
    if kind is not None:
        unit = rest
        if kind in ("filter", "neuron"):
            layer_name, colon, unit = rest.partition(":")
            if not colon:
                raise UserError(f"target {shown(text)!r}: '{shown(body)}' needs a layer and a unit: {_example(kind)}")
            layer = find_filters(layer_name.strip(), layers)
    elif before is not None:
        kind, unit = before.kind, body
        layer = find_filters(before.layer, layers) if kind in ("filter", "neuron") else None
    elif colon:
        raise UserError(
            f"target {shown(text)!r}: no kind is called '{shown(first)}'; the kinds are class, filter, neuron and layer"
        )
    else:
        raise UserError(f"target {shown(text)!r} has no kind; write class:{shown(body)}, or {EXAMPLES}")
    weight = parse_weight(weight_text, text) if at else 1.0
    unit = unit.strip()
    if not unit:
        raise UserError(f"target {shown(text)!r}: a piece is empty; example: {_example(kind)}")
    if kind == "class":
        index = find_class(unit, labels)
        return Unit(kind, SCORES, (index,), weight, _class_piece(index, labels))
    if kind == "layer":
        layer = find_layer(unit, layers)
        return Unit(kind, layer.name, (), weight, layer.name)
    assert layer is not None
    numbers = _parse_index(kind, unit, layer, text)
    return Unit(kind, layer.name, numbers, weight, ":".join(map(str, numbers)))


def _example(kind: Kind) -> str:
    return {
        "class": "class:harmonica or class:593",
        "filter": "filter:relu5_1:3 (layer, channel)",
        "neuron": "neuron:relu5_1:12:3:4 (layer, channel, row, column)",
        "layer": "layer:relu4_3",
    }[kind]


def parse_weight(weight: str, text: str) -> float:
    """The number after a piece's ``@``, in the target ``text``.

    Raises:
        UserError: it is not a number, or is 0 or infinite.
    """
    if not _WEIGHT.fullmatch(weight.strip()):
        raise UserError(
            f"target {shown(text)!r}: '@{shown(weight)}' is not a weight; write a number, such as class:ostrich@0.7"
        )
    value = float(weight)
    if value == 0 or not math.isfinite(value):
        raise UserError(f"target {shown(text)!r}: a weight must be a finite number other than 0, not {shown(weight)}")
    return value


def _parse_index(kind: Kind, unit: str, layer: Layer, text: str) -> tuple[int, ...]:
    shape = layer.shape[:1] if kind == "filter" else layer.shape
    axes = _AXES.get(len(shape)) or ("channel", *(f"place{number}" for number in range(1, len(shape))))
    numbers = [number.strip() for number in unit.split(":")]
    if kind == "filter" and SELECTION.fullmatch(unit):
        raise UserError(
            f"target {shown(text)!r}: '{shown(unit)}' is only found during training; "
            f"here name the filters, filter:{layer.name}:3+7"
        )
    if len(numbers) != len(shape) or not all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers):
        wanted = f"{kind}:{layer.name}:" + ":".join(axis.upper() for axis in axes)
        raise UserError(
            f"target {shown(text)!r}: '{shown(unit)}' is not a {kind} of {layer.name}; write {wanted}, in whole numbers"
        )
    for axis, number, size in zip(axes, numbers, shape, strict=True):
        if int(number) >= size:
            raise UserError(
                f"target {shown(text)!r}: {layer.name} has {size} {axis}s, numbered 0 to {size - 1}, "
                f"but no {axis} {shown(number)}"
            )
    return tuple(map(int, numbers))


def _class_piece(index: int, labels: Sequence[str]) -> str:
    """The label as written in a target, or the number if the label is ambiguous."""
    piece = spelt(labels[index])
    unique = sum(slug(label) == slug(piece) for label in labels) == 1
    return piece if piece and unique and not piece.isdigit() and "_" not in piece else str(index)
