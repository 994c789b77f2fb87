"""The generator whose image is one small perturbation, to be added to any picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from genviz.errors import UserError
from genviz.generators.perturbation import Norm
from genviz.images.randomness import Streams
from genviz.interfaces import Generator, Sample

_GREY = 0.5


class PerturbationForAll(Generator):
    """A perturbation v with ||v|| <= xi, shown around mid-grey (Moosavi-Dezfooli et al. 2017).

    After each update v is projected onto that ball. It starts at 0.

    Args:
        size: rows and columns.
        xi: above 0, in units of [0, 1]: the largest of any value with ``norm=linf``; their root mean square with
            ``norm=l2``, which is the l2 norm over the root of how many there are, and means the same at any size.
        norm: ``linf`` or ``l2``.
        streams: one per perturbation.

    Raises:
        UserError: a setting cannot work.
    """

    holds_many = True

    def __init__(
        self,
        *,
        size: Sequence[int] = (224, 224),
        xi: float = 10 / 255,
        norm: Norm = "linf",
        streams: Streams | None = None,
    ) -> None:
        super().__init__()
        if isinstance(xi, bool) or not isinstance(xi, int | float) or not 0 < xi <= 1:
            raise UserError(f"generator.xi={xi} must be a number above 0 and at most 1")
        if str(norm) not in ("linf", "l2"):
            raise UserError(f"generator.norm={norm} must be linf or l2")
        sides = list(size) if isinstance(size, Sequence) else []
        if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
            raise UserError(f"generator.size={size} must be rows and columns, such as [224,224]")
        self.size, self.xi, self.norm = (sides[0], sides[1]), float(xi), str(norm)
        self.values = nn.Parameter(torch.zeros(len(streams or Streams()), 3, *self.size))

    @property
    def image_size(self) -> tuple[int, int]:
        return self.size

    @torch.no_grad()
    def constrain(self) -> None:
        self.values.copy_(projected(self.values, self.xi, self.norm))

    def forward(self) -> Sample:
        return Sample(_GREY + self.values, {"perturbation": self.values})


def projected(values: Tensor, xi: float, norm: str) -> Tensor:
    """The nearest perturbations to ``values`` (n, 3, h, w) that are no larger than ``xi``, as `PerturbationForAll`."""
    if norm == "linf":
        return values.clamp(-xi, xi)
    size = values.square().mean((1, 2, 3), keepdim=True).sqrt()
    return values * (xi / size.clamp_min(xi))
