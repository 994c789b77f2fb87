"""Differences between neighbouring pixels."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.functional.image import total_variation

from genviz.interfaces import Regularizer, Sample


class TotalVariation(Regularizer):
    """(sum |x[i+1, j] - x[i, j]| + sum |x[i, j+1] - x[i, j]|) / (h w), over the three channels of RGB in [0, 1].

    Anisotropic total variation (Rudin et al. 1992) per pixel, so that the weight does not depend on the image size.
    """

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self.weight = float(weight)

    def forward(self, sample: Sample) -> Tensor:
        height, width = sample.images.shape[-2:]
        return total_variation(sample.images, reduction="none") / (height * width)
