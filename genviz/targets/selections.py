"""Filters that a target names by what they contribute to a class: ``filter:fire8:top5:harmonica``.

This is about the text alone, and needs no network: what is to be found, whether a classifier can have it, and the text
with what was found in its place. `genviz.analysis.contributions` finds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from genviz.errors import UserError
from genviz.interfaces import Layer, Outline
from genviz.targets.grammar import KINDS, SELECTION, check_spelling, find_layer, parse_weight
from genviz.targets.labels import find_class

_USUAL = re.compile(r"(conv|relu|fire)[\d_]+")


class Selection(NamedTuple):
    """Filters that a target names by what they contribute: ``filter:fire8:top5:harmonica``."""

    layer: str
    strongest: bool
    """Those that contribute most; otherwise least."""
    filters: int
    """How many."""
    label: str
    """The class, as it is written."""
    text: str
    """The piece without its weight."""


class _Piece(NamedTuple):
    kind: str
    layer: str
    unit: str
    weight: str

    @property
    def text(self) -> str:
        return ":".join(part for part in (self.kind, self.layer, self.unit) if part)


def find_selections(text: str) -> list[Selection]:
    """The pieces of the target string ``text`` that choose filters by their contribution, in their order.

    Raises:
        UserError: one does not say how many, or of which class.
    """
    return [found for piece in _split(text) if (found := _selection(piece, text)) is not None]


def check_selections(text: str, outline: Outline) -> list[tuple[Layer, int]]:
    """The layer and the class of each of the `find_selections` in ``text``, for a classifier of this ``outline``.

    Raises:
        UserError: the classifier has no such class or layer, or the layer has too few filters, or none.
    """
    found = []
    for selection in find_selections(text):
        layer = find_layer(selection.layer, outline.layers)
        check_filters(layer, outline)
        if not 0 < selection.filters <= layer.shape[0]:
            raise UserError(
                f"target {text!r}: {layer.name} has {layer.shape[0]} filters, not {selection.filters} to choose"
            )
        found.append((layer, find_class(selection.label, outline.labels)))
    return found


def check_filters(layer: Layer, outline: Outline) -> None:
    """See that ``layer`` has filters that class scores are made of.

    Raises:
        UserError: it comes after the features: its channels are the classes.
    """
    if layer not in _made_of(outline):
        raise UserError(
            f"{layer.name} has no filters that a class is made of, its channels are the classes; "
            f"name a layer before it, {usual_layer(outline).name} for instance"
        )


def usual_layer(outline: Outline) -> Layer:
    """The last convolution, ReLU or fire module that still has positions; of other names, the last such layer.

    Raises:
        UserError: class scores are made of no layer that has a name.
    """
    known = _made_of(outline)
    late = known[len(known) // 2 :]  # ResNet's conv1 is its first
    maps = [layer for layer in late if len(layer.shape) == 3 and min(layer.shape[1:]) > 1]
    named = [layer for layer in maps if _USUAL.fullmatch(layer.name)]
    outer = [layer for layer in maps if "." not in layer.name]
    for layers in (named, outer, maps, known):
        if layers:
            return layers[-1]
    raise UserError("this classifier has no layer but its class scores")


def _made_of(outline: Outline) -> tuple[Layer, ...]:
    """The layers before the class scores' own."""
    modules = [layer.module for layer in outline.layers]
    return outline.layers[: modules.index(outline.head) if outline.head in modules else -1]


def stand_in(text: str, outline: Outline) -> str:
    """The target string ``text`` with a layer's first filters in the place of those that are still to be found.

    It parses where what is found will parse.

    Raises:
        UserError: the classifier has no such class or layer, or the layer has too few filters, or none.
    """
    found, begin = [], 0
    for (layer, _), selection in zip(check_selections(text, outline), find_selections(text), strict=True):
        end = begin + selection.filters
        found.append((layer.name, [channel % layer.shape[0] for channel in range(begin, end)]))
        begin = end  # apart from one another, lest their weights cancel
    return replace_selections(text, found)


def replace_selections(text: str, found: Sequence[tuple[str, Sequence[int]]]) -> str:
    """The target string ``text`` with a layer's filters in the place of each of its `find_selections`.

    Each takes the weight of its selection; a filter that is named more than once has the sum of its weights.

    Raises:
        UserError: nothing is left of it.
    """
    if not found:
        return text
    left, weights, spelled = iter(found), dict[tuple[str, str, int], float](), dict[tuple[str, str, int], str]()
    for place, piece in enumerate(_split(text)):
        weight = parse_weight(piece.weight, text) if piece.weight else 1.0
        names, layer = [piece.unit], piece.layer
        if _selection(piece, text) is not None:
            layer, channels = next(left)
            names = [str(channel) for channel in channels]
        for name in names:
            alone = 0 if piece.kind == "filter" else place + 1  # another kind's unit that is there twice is an error
            key = (f"{piece.kind}:{layer}".casefold(), name, alone)
            spelled.setdefault(key, _Piece(piece.kind, layer, name, "").text)
            weights[key] = round(weights.get(key, 0.0) + weight, 12)
    if not any(weights.values()):
        raise UserError(f"target {text!r}: the weights of what it names cancel")
    return "+".join(
        spelled[key] + ("" if weight == 1 else "@" + repr(weight).replace("e+", "e"))
        for key, weight in weights.items()
        if weight != 0
    )


def _split(text: str) -> list[_Piece]:
    """The pieces of ``text``, each with the kind and layer that it takes; what is wrong is left to `parse_target`."""
    pieces: list[_Piece] = []
    for piece in check_spelling(text).split("+"):
        body, _, weight = piece.strip().partition("@")
        first, colon, unit = body.partition(":")
        kind = first.strip().casefold()
        if not colon or kind not in KINDS:
            kind, layer, unit = (*pieces[-1][:2], body) if pieces else ("", "", body)
        elif kind in ("filter", "neuron"):
            layer, _, unit = unit.partition(":")
        else:
            layer = ""
        pieces.append(_Piece(kind, layer.strip(), unit.strip(), weight.strip()))
    return pieces


def _selection(piece: _Piece, text: str) -> Selection | None:
    found = SELECTION.fullmatch(piece.unit) if piece.kind == "filter" else None
    if found is None:
        return None
    which, count, label = found.groups()
    if not count or len(count) > 9 or not label:
        example = f"filter:{piece.layer or 'relu5_1'}:{which}5:harmonica"
        raise UserError(f"target {text!r}: '{piece.unit}' does not say how many filters, or for which class: {example}")
    return Selection(piece.layer, which.casefold() == "top", int(count), label.strip(), piece.text)
