"""The attacks, under the papers' names: how each takes its steps."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import NamedTuple

from genviz.errors import UserError, shown

_LEVEL = 1 / 255


class Steps(NamedTuple):
    """How a method moves towards what fools the network."""

    number: int
    size: float
    """Norm of each."""
    random_start: bool = False
    momentum: float = 0.0


class Method(NamedTuple):
    """An attack."""

    name: str
    title: str
    source: str
    steps: Callable[[float, int | None, float | None], Steps]
    """Given epsilon, and the number and the size of the steps if they are set."""
    is_smallest: bool = False
    """Whether it finds how far it has to go by itself."""


def _once(epsilon: float, count: int | None, size: float | None) -> Steps:  # noqa: ARG001
    return Steps(1, epsilon)


def _basic(epsilon: float, count: int | None, size: float | None) -> Steps:
    levels = epsilon / _LEVEL
    size = _LEVEL if size is None else size
    return Steps(round(min(levels + 4, 1.25 * levels)) or 1 if count is None else count, size)


def _projected(epsilon: float, count: int | None, size: float | None) -> Steps:
    count = 40 if count is None else count
    return Steps(count, 2.5 * epsilon / count if size is None else size, random_start=True)


def _momentum(epsilon: float, count: int | None, size: float | None) -> Steps:
    count = 10 if count is None else count
    return Steps(count, epsilon / count if size is None else size, momentum=1.0)


def _boundary(epsilon: float, count: int | None, size: float | None) -> Steps:  # noqa: ARG001
    return Steps(50 if count is None else count, 0.0)


METHODS = {
    method.name: method
    for method in (
        Method("fgsm", "FGSM", "Goodfellow et al. 2015", _once),
        Method("bim", "BIM", "Kurakin et al. 2017", _basic),
        Method("pgd", "PGD", "Madry et al. 2018", _projected),
        Method("mi_fgsm", "MI-FGSM", "Dong et al. 2018", _momentum),
        Method("deepfool", "DeepFool", "Moosavi-Dezfooli et al. 2016", _boundary, is_smallest=True),
    )
}
"""Every method, by name."""


def find_method(name: str) -> Method:
    """The method of this name.

    Raises:
        UserError: there is none.
    """
    plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
    if plain in METHODS:
        return METHODS[plain]
    near = get_close_matches(plain, METHODS, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise UserError(f"method={shown(name)} is none of {', '.join(METHODS)}{meant}")
