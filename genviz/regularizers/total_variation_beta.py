"""The length of the gradient at each pixel, raised to a power."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError
from genviz.images.pictures import centred
from genviz.interfaces import Regularizer, Sample


class TotalVariationBeta(Regularizer):
    """R_TV^beta(x) = 1 / (h w V^beta) sum_uvk ((x[v, u+1] - x[v, u])^2 + (x[v+1, u] - x[v, u])^2)^(beta / 2).

    Mahendran & Vedaldi 2016, section 3.2.2. x is the image in 0-255; the last row and column are repeated, as in
    their code. beta = 1 makes spikes, 2 blurs (their Figure 2).

    Args:
        weight: 1 in the paper.
        beta: 2 in the paper's section 3.3.
        slope: V, the typical gradient length; 80 / 6.5 in the paper.
    """

    def __init__(self, *, weight: float = 1.0, beta: float = 2.0, slope: float = 80 / 6.5) -> None:
        super().__init__()
        if not beta > 0 or not slope > 0:
            raise UserError(f"total_variation_beta: beta={beta} and slope={slope} must be above 0")
        self.weight, self.beta, self.slope = float(weight), float(beta), float(slope)

    def forward(self, sample: Sample) -> Tensor:
        x = centred(sample.images) / self.slope
        across, down = F.pad(x.diff(dim=3), (0, 1)), F.pad(x.diff(dim=2), (0, 0, 0, 1))
        squared = across.square() + down.square()
        if self.beta != 2:  # a power below 1 has no finite slope at 0
            squared = squared.clamp_min(torch.finfo(squared.dtype).tiny ** 0.25).pow(self.beta / 2)
        return squared.sum((1, 2, 3)) / (x.shape[2] * x.shape[3])
