"""Filters that a target names by their contribution to a class: ``filter:fire8:top5:harmonica``.

This handles only the text and needs no network: which filters to find, whether a classifier can have them, and the
text with the result put in. `genviz.analysis.contributions` finds them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from genviz.errors import UserError, shown
from genviz.interfaces import Layer, Outline
from genviz.targets.grammar import KINDS, SELECTION, parse_weight
from genviz.targets.labels import find_class
from genviz.targets.layers import before_scores, find_filters
from genviz.targets.spelling import check_spelling

_USUAL = re.compile(r"(conv|relu|fire)[\d_]+")


class Selection(NamedTuple):
    """Filters that a target names by their contribution: ``filter:fire8:top5:harmonica``."""

    layer: str
    strongest: bool
    """Those that contribute most; if False, least."""
    filters: int
    """How many."""
    label: str
    """The class, as written."""
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
    """The pieces of the target string ``text`` that name filters by their contribution, in order.

    Raises:
        UserError: one does not say how many, or for which class.
    """
    return [found for piece in _split(text) if (found := _selection(piece, text)) is not None]


def check_selections(text: str, outline: Outline) -> list[tuple[Layer, int]]:
    """The layer and the class of each of the `find_selections` in ``text``, for a classifier of this ``outline``.

    Raises:
        UserError: the classifier has no such class or layer, or the layer has too few filters, or none.
    """
    found = []
    for selection in find_selections(text):
        layer = find_filters(selection.layer, outline.layers)
        check_filters(layer, outline)
        if not 0 < selection.filters <= layer.shape[0]:
            raise UserError(
                f"target {shown(text)!r}: {layer.name} has {layer.shape[0]} filters, "
                f"not {selection.filters} to choose from"
            )
        found.append((layer, find_class(selection.label, outline.labels)))
    return found


def check_filters(layer: Layer, outline: Outline) -> None:
    """Check that ``layer`` has filters that contribute to class scores.

    Raises:
        UserError: it comes after the features: its channels are the classes.
    """
    if layer.module not in [known.module for known in before_scores(outline)]:
        raise UserError(
            f"{layer.name} has no filters that contribute to a class: its channels are the classes; "
            f"name a layer before it, such as {usual_layer(outline).name}"
        )


def usual_layer(outline: Outline) -> Layer:
    """The last convolution, ReLU or fire module that has positions; if there is none, the last layer that has.

    Raises:
        UserError: there is no layer before the class scores.
    """
    known = before_scores(outline)
    late = known[len(known) // 2 :]  # ResNet's conv1 is its first
    maps = [layer for layer in late if len(layer.shape) == 3 and min(layer.shape[1:]) > 1]
    named = [layer for layer in maps if _USUAL.fullmatch(layer.name)]
    outer = [layer for layer in maps if "." not in layer.name]
    for layers in (named, outer, maps, known):
        if layers:
            return layers[-1]
    raise UserError("this classifier has no layer but its class scores")


def last_features(outline: Outline) -> Layer | None:
    """The last layer with positions that the class scores are made of; of those without, the last; None if none is.

    Of a transformer, whose only maps are its first layer's, that is the last layer of tokens.
    """
    known = before_scores(outline) if outline.labels else ()
    maps = [layer for layer in known[len(known) // 2 :] if len(layer.shape) == 3 and min(layer.shape[1:]) > 1]
    return (maps or known or (None,))[-1]


def stand_in(text: str, outline: Outline) -> str:
    """The target string ``text`` with a layer's first filters in place of those still to be found.

    It parses if the final one will.

    Raises:
        UserError: the classifier has no such class or layer, or the layer has too few filters, or none.
    """
    found, begin = [], 0
    for (layer, _), selection in zip(check_selections(text, outline), find_selections(text), strict=True):
        end = begin + selection.filters
        found.append((layer.name, [channel % layer.shape[0] for channel in range(begin, end)]))
        begin = end  # no overlap, so that weights do not cancel
    return replace_selections(text, found)


def replace_selections(text: str, found: Sequence[tuple[str, Sequence[int]]]) -> str:
    """The target string ``text`` with a layer's filters in place of each of its `find_selections`.

    Each filter takes the weight of its selection; the weights of a repeated filter add up.

    Raises:
        UserError: all weights cancel.
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
            alone = 0 if piece.kind == "filter" else place + 1  # for other kinds, repeated units are an error
            key = (f"{piece.kind}:{layer}".casefold(), name, alone)
            spelled.setdefault(key, _Piece(piece.kind, layer, name, "").text)
            weights[key] = round(weights.get(key, 0.0) + weight, 12)
    if not any(weights.values()):
        raise UserError(f"target {shown(text)!r}: its weights cancel")
    return "+".join(
        spelled[key] + ("" if weight == 1 else "@" + repr(weight).replace("e+", "e"))
        for key, weight in weights.items()
        if weight != 0
    )


def _split(text: str) -> list[_Piece]:
    """The pieces of ``text``, each with its kind and layer filled in; errors are left to `parse_target`."""
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
        raise UserError(
            f"target {shown(text)!r}: '{shown(piece.unit)}' does not say how many filters, "
            f"or for which class: {example}"
        )
    return Selection(piece.layer, which.casefold() == "top", int(count), label.strip(), piece.text)
