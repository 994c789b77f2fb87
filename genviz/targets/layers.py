"""Finding the layers that targets name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from genviz.errors import UserError, shown
from genviz.interfaces import Layer, Outline
from genviz.targets.labels import nearest

_STATED = re.compile(r"(.+)/(\d{1,2})", re.DOTALL | re.ASCII)
"""A layer with the dimension that counts its channels: ``features.1.0/3``."""


class NoSuchLayerError(UserError):
    """A layer that the classifier does not have."""


def find_layer(name: str, layers: Sequence[Layer]) -> Layer:
    """The layer called ``name``, by any of its names; ``NAME/2`` counts its channels by its output's dimension 2.

    Raises:
        UserError: there is none, or there are several.
    """
    stated = _STATED.fullmatch(name)
    if (found := _named(name, layers)) is not None:
        return found
    if stated is not None and (found := _named(stated[1].strip(), layers)) is not None:
        return _counted(found, int(stated[2]))
    likely = nearest(name, [layer.name for layer in layers] + [layer.module for layer in layers])
    raise NoSuchLayerError(
        f"no layer is called '{shown(name)}'"
        + (f"; nearest: {', '.join(likely)}" if likely else "")
        + "; genviz layers CLASSIFIER lists them all"
    )


def find_filters(name: str, layers: Sequence[Layer]) -> Layer:
    """The layer called ``name``, whose channels are known.

    Raises:
        UserError: there is none, or which of its dimensions counts the channels has to be stated.
    """
    layer = find_layer(name, layers)
    if layer.axis is None:
        several = " or ".join(f"{layer.name}/{axis}" for axis in range(1, len(layer.shape) + 1))
        raise UserError(
            f"{layer.name} is {' x '.join(map(str, layer.shape))}, and which of these dimensions counts its channels "
            f"is unknown; say which: {several}"
        )
    return layer


def before_scores(outline: Outline) -> tuple[Layer, ...]:
    """The layers that the class scores are made of; of a representation without classes, all."""
    if not outline.labels:
        return outline.layers
    modules = [layer.module for layer in outline.layers]
    return outline.layers[: modules.index(outline.head) if outline.head in modules else -1]


def _named(name: str, layers: Sequence[Layer]) -> Layer | None:
    """The layer of this name; upper and lower case matter only where there are both."""
    folded = name.casefold()
    for fits in (
        lambda layer: layer.name == name,
        lambda layer: layer.module == name,
        lambda layer: name in layer.aliases,
        lambda layer: folded in (layer.name.casefold(), layer.module.casefold()),
    ):
        found = [layer for layer in layers if fits(layer)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"'{shown(name)}' may be any of {len(found)} layers: {', '.join(layer.name for layer in found[:6])}; "
                "use one of these names"
            )
    return None


def _counted(layer: Layer, axis: int) -> Layer:
    """``layer`` with its channels counted by dimension ``axis`` of its output, whose pictures are dimension 0."""
    if not 1 <= axis <= len(layer.shape):
        raise UserError(
            f"{layer.name}/{axis}: apart from the batch, {layer.name} has dimensions 1 to {len(layer.shape)}"
        )
    own = list(layer.shape)
    if layer.axis is not None:
        own.insert(layer.axis - 1, own.pop(0))
    name = layer.name if axis == layer.axis else f"{layer.name}/{axis}"
    return layer._replace(name=name, shape=(own[axis - 1], *own[: axis - 1], *own[axis:]), axis=axis)
