"""Colours that a printer has."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

import torch
from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Regularizer, Sample

_SOLIDS = {
    (0, 0, 0): (255, 255, 255),
    (1, 0, 0): (0, 159, 227),
    (0, 1, 0): (230, 0, 126),
    (0, 0, 1): (255, 237, 0),
    (0, 1, 1): (227, 6, 19),
    (1, 0, 1): (0, 150, 64),
    (1, 1, 0): (49, 39, 131),
    (1, 1, 1): (29, 29, 27),
}
"""Paper, and cyan, magenta, yellow and what they make over each other: offset printing on coated paper (ISO 12647-2),
in sRGB. All three over each other are taken to be black ink."""


class Printability(Regularizer):
    """The non-printability score (Sharif et al. 2016): how far each pixel is from the colours that a printer has.

    Mean over the pixels of min_c |x - c|, ``nearest`` (as in Thys et al. 2019), or of prod_c |x - c|, ``product``,
    Sharif's own, which is small for any pixel that is near some of many colours. x and c are RGB in [0, 1].

    Args:
        form: ``nearest`` or ``product``.
        colours: RGB, 0-255, such as measured from a print; None for 27 of an offset press: cyan, magenta and yellow,
            each covering nothing, half or all of the paper (Neugebauer 1937).

    Raises:
        UserError: a setting is unknown.
    """

    def __init__(
        self,
        *,
        weight: float,
        form: Literal["nearest", "product"] = "nearest",
        colours: Sequence[Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        if form not in ("nearest", "product"):
            raise UserError(f"printability: form={form} is unknown; it takes nearest, product")
        if colours is not None and not (isinstance(colours, Sequence) and colours and all(map(_is_colour, colours))):
            raise UserError(
                "printability: colours must be a list of red, green and blue, 0-255: [[0,0,0],[255,255,255]]"
            )
        self.weight, self.form = float(weight), form
        self.register_buffer("colours", offset() if colours is None else torch.tensor(colours) / 255, persistent=False)
        self.colours: Tensor  # (colours, 3)

    def forward(self, sample: Sample) -> Tensor:
        apart = sample.images[:, None] - self.colours.to(sample.images)[:, :, None, None]  # (n, colours, 3, h, w)
        far = torch.linalg.vector_norm(apart, dim=2)
        return (far.amin(1) if self.form == "nearest" else far.prod(1)).mean((1, 2))


def _is_colour(given: Any) -> bool:
    is_triple = isinstance(given, Sequence) and len(given) == 3
    return is_triple and all(type(value) in (int, float) and 0 <= value <= 255 for value in given)


def offset() -> Tensor:
    """The colours of an offset press, RGB in [0, 1], (27, 3): Neugebauer's mixtures, of linear light."""
    solids = _linear(torch.tensor(list(_SOLIDS.values())) / 255)
    mixed = []
    for covers in product((0.0, 0.5, 1.0), repeat=3):
        shares = [torch.tensor([c if ink else 1 - c for c, ink in zip(covers, inks, strict=True)]) for inks in _SOLIDS]
        mixed.append((torch.stack(shares).prod(1)[:, None] * solids).sum(0))
    light = torch.stack(mixed)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # sRGB, IEC 61966-2-1


def _linear(colours: Tensor) -> Tensor:
    return torch.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
