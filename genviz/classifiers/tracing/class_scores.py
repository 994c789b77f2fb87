"""The class scores in what a network returns: a tensor, or a tensor in a tuple, a dict or an output object."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from genviz.errors import UserError

Path = tuple[str | int, ...]
"""Where the scores are: ``()`` for the output itself, ``("logits",)``, ``(1,)``."""

_USUAL = ("logits", "scores", "class_scores", "class_logits", "predictions", "pred", "output", "out")


def find_scores(output: Any, count: int, classes: int | None = None) -> Path:
    """Where the class scores are in the ``output`` of a network that has seen ``count`` images.

    Of several that could be, those with as many columns as there are ``classes``, then those with a usual name, then
    the first. A number without dimensions, such as a loss, is the score of the only picture if there is nothing else.

    Raises:
        UserError: there are none, or they are whole or complex numbers.
    """
    tensors = _tensors(output)
    found = [(path, rows) for path, value in tensors if value.ndim and (rows := _rows(value, count)) is not None]
    found = found or [(path, rows) for path, value in tensors if (rows := _rows(value, count)) is not None]
    floats = {path: rows for path, rows in found if rows.is_floating_point()}
    if found and not floats:
        kind = found[0][1].dtype
        numbers = "complex numbers" if kind.is_complex else "whole numbers, which have no gradient"
        raise UserError(
            f"the network returns {numbers} ({str(kind).removeprefix('torch.')}); return the class scores themselves"
        )
    if not floats:
        raise UserError(
            f"the network returns {_described(output)}, not class scores (n, classes); wrap it in a module that does"
        )
    fitting = [path for path, rows in floats.items() if classes in (None, rows.shape[1])] or list(floats)
    usual = [path for name in _USUAL for path in fitting if path and path[-1] == name]
    if not usual and len(fitting) > 1:
        shapes = ", ".join(f"{said(path)} (n, {floats[path].shape[1]})" for path in fitting[:4])
        warnings.warn(
            f"the network returns {shapes}; {said(fitting[0])} is taken for the class scores. To choose another, give "
            "as many labels as it has classes, or wrap the network in a module that returns it alone",
            stacklevel=2,
        )
    return (usual or fitting)[0]


def take_scores(output: Any, path: Path, count: int) -> Tensor:
    """The class scores (count, classes) at ``path``.

    Raises:
        UserError: they are not there.
    """
    for key in path:
        output = (
            getattr(output, str(key), None) if isinstance(key, str) and not isinstance(output, Mapping) else output[key]
        )
    rows = _rows(output, count) if isinstance(output, Tensor) else None
    if rows is None:
        raise UserError(f"the network returns {_described(output)} for {count} pictures, not class scores (n, classes)")
    return rows


def said(path: Path) -> str:
    """Which part of the output the scores are: ``logits``, ``part 1``; '' for the output itself."""
    return ", ".join(f"part {key}" if isinstance(key, int) else key for key in path)


def _tensors(output: Any, path: Path = ()) -> list[tuple[Path, Tensor]]:
    if isinstance(output, Tensor):
        return [(path, output)]
    if len(path) > 2:
        return []
    if isinstance(getattr(output, "logits", None), Tensor):
        return [((*path, "logits"), output.logits)]
    parts: list[tuple[Any, Any]] = []
    if isinstance(output, Mapping):
        parts = list(output.items())
    elif isinstance(output, tuple | list) and not hasattr(output, "_fields"):
        parts = list(enumerate(output))
    else:  # a named tuple, or an object of a class of one's own
        names = dict.fromkeys(key for kind in ("_fields", "__slots__", "__dict__") for key in getattr(output, kind, ()))
        parts = [(name, getattr(output, name, None)) for name in names]
    return [found for key, value in parts for found in _tensors(value, (*path, key))]


def _rows(value: Tensor, count: int) -> Tensor | None:
    """``value`` as (count, classes); None if it has another shape."""
    if not value.numel():
        return None
    if value.ndim == 1 and len(value) == count:  # one score for each
        return value[:, None]
    if value.ndim < 2 and count == 1:  # of the only picture
        return value.reshape(1, -1)
    if value.ndim >= 2 and len(value) == count and sum(size > 1 for size in value.shape[1:]) < 2:
        return value.flatten(1)
    return None


def _described(output: Any) -> str:
    return str(tuple(output.shape)) if isinstance(output, Tensor) else f"a {type(output).__name__}"
