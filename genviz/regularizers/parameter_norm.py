"""A norm of some of the generator's parameters."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.interfaces import Regularizer, Sample


class ParameterNorm(Regularizer):
    """R(xi) = max(0, ||xi||_p - radius), of a subset xi of the generator's parameters (Despraz et al. 2017, Eq. 2).

    A radius makes it a bound: with a large ``weight`` the parameters stay within it, whatever the scale of the scores.

    Args:
        weight: 0.01 for Eq. 3, 0.1 for Eq. 4.
        parameter: ``gamma``, the scale of the last batch norm (Eq. 3), or ``gains`` (Eq. 4).
        order: p, 1 for Eq. 3 and 2 for Eq. 4.
        radius: the norm that costs nothing; the paper: 0.
    """

    def __init__(self, *, weight: float, parameter: str, order: float, radius: float = 0.0) -> None:
        super().__init__()
        self.weight, self.parameter, self.order = float(weight), parameter, float(order)
        self.radius = float(radius)

    def forward(self, sample: Sample) -> Tensor:
        if self.parameter not in sample.parameters:
            has = ", ".join(sample.parameters) or "none"
            raise UserError(f"the generator has no parameters called '{self.parameter}' to regularize; it has: {has}")
        norm = sample.parameters[self.parameter].flatten(1).norm(self.order, dim=1)
        return (norm - self.radius).relu() if self.radius else norm
