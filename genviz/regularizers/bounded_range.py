"""Soft bound on the length of each pixel's colour vector."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.images.pictures import centred
from genviz.interfaces import Regularizer, Sample


class BoundedRange(Regularizer):
    """N_alpha(x) = 1 / (h w B^alpha) sum_uv (sum_k x_uvk^2)^(alpha / 2) (Mahendran & Vedaldi 2016, Eq. 5).

    x is the image in 0-255 minus the mean colour. About 1 for a natural image. The hard bound of Eq. 6 is left to the
    optimizer: `genviz.optimizers.pre_image.PreImage` projects.

    Args:
        weight: 1 in the paper.
        alpha: the exponent; 6 in the paper.
        bound: B, the typical length of a pixel's colour vector; 80 in the paper.
    """

    def __init__(self, *, weight: float = 1.0, alpha: float = 6.0, bound: float = 80.0) -> None:
        super().__init__()
        if not alpha >= 2 or not bound > 0:
            raise UserError(f"bounded_range: alpha={alpha} must be 2 or more, and bound={bound} above 0")
        self.weight, self.alpha, self.bound = float(weight), float(alpha), float(bound)

    def forward(self, sample: Sample) -> Tensor:
        lengths = (centred(sample.images) / self.bound).square().sum(1)  # (n, h, w), squared
        return lengths.pow(self.alpha / 2).mean((1, 2))
