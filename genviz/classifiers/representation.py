"""Classical representations as frozen networks: layers that can be inverted and maximized, and no classes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.outline import check_resize, outline_of
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.tracing.calling import Calling
from genviz.classifiers.tracing.trace import trace
from genviz.interfaces import Outline
from genviz.representations import DSIFT, HOG
from genviz.representations.glyphs import glyphs

_INPUT_SIZE = 224


class _Representation(FrozenClassifier):
    """A representation with the ``outline`` of its network; its class scores are (n, 0)."""

    def __init__(self, network: nn.Module, outline: Outline, settings: dict[str, Any]) -> None:
        name = f"{type(network).__name__}({', '.join(f'{key}={value}' for key, value in settings.items())})"
        super().__init__(
            network,
            outline,
            InputSpace(),
            weights_source=name,
            weights_sha256=sha256(name.encode()).hexdigest(),
            calling=Calling(channels_last=False),
        )

    def _scores(self, output: Any, inputs: Tensor) -> Tensor:  # noqa: ARG002
        return inputs.new_zeros(len(inputs), 0)


class HOGClassifier(_Representation):
    """`genviz.representations.HOG`; the whole of it is ``layer:hog``, one orientation ``filter:hog:3``.

    Args:
        cell_size, orientations, bilinear, colour: as in `genviz.representations.HOG`.
        input_size: side of the square input, or rows and columns, in pixels; None for 224.
        resize: False: take images at their own size.

    Raises:
        UserError: a setting cannot work.
    """

    def __init__(
        self,
        *,
        cell_size: int = 8,
        orientations: int = 9,
        bilinear: bool = False,
        colour: bool = False,
        input_size: Size | None = None,
        resize: bool = True,
    ) -> None:
        own: dict[str, Any] = {
            "cell_size": cell_size,
            "orientations": orientations,
            "bilinear": bilinear,
            "colour": colour,
        }
        super().__init__(HOG(**own), self.sketch(**own, input_size=input_size, resize=resize), own)

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        return _sketch(HOG, settings)

    def drawn(self, images: Tensor) -> Tensor:
        """Its strokes, of the undirected orientations."""
        seen = self(images, ["hog"])["hog"]
        return glyphs(seen[:, -seen.shape[1] // 3 :]).expand(-1, 3, -1, -1)


class DSIFTClassifier(_Representation):
    """`genviz.representations.DSIFT`; the whole of it is ``layer:dsift``, one bin ``filter:dsift:40``.

    Args:
        cell_size, orientations, step, colour: as in `genviz.representations.DSIFT`.
        input_size: side of the square input, or rows and columns, in pixels; None for 224.
        resize: False: take images at their own size.

    Raises:
        UserError: a setting cannot work.
    """

    def __init__(
        self,
        *,
        cell_size: int = 8,
        orientations: int = 8,
        step: int | None = None,
        colour: bool = False,
        input_size: Size | None = None,
        resize: bool = True,
    ) -> None:
        own: dict[str, Any] = {
            "cell_size": cell_size,
            "orientations": orientations,
            "step": step,
            "colour": colour,
        }
        super().__init__(DSIFT(**own), self.sketch(**own, input_size=input_size, resize=resize), own)

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        return _sketch(DSIFT, settings)


def _sketch(kind: type[HOG] | type[DSIFT], settings: dict[str, Any]) -> Outline:
    own = {name: value for name, value in settings.items() if name not in ("input_size", "resize")}
    with torch.device("meta"):
        network = kind(**own)
    given = settings.get("input_size")
    size = size_of(_INPUT_SIZE if given is None else given)
    traced = trace(network, torch.empty(1, 3, *size, device="meta")).layers
    layers = [layer._replace(axis=1) for layer in traced]  # which the pooling's matrix products hide
    return outline_of(network, layers, (), size)._replace(resizes=check_resize(settings))
