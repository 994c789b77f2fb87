"""Differences between each pixel and its eight neighbours."""

from __future__ import annotations

from torch import Tensor

from genviz.images.pictures import IMAGENET_STD, colour
from genviz.interfaces import Regularizer, Sample


class DifferenceNorm(Regularizer):
    """sum_d ||x - x_d||, x_d the image shifted by a pixel: across, down, and along both diagonals.

    l2 norms over all channels and pixels, of RGB in ImageNet's standard deviations: the total variation in the code of
    DeepInversion (Yin et al. 2020) and VITAL (Görgün et al. 2025). Taken of the image itself, before any transform.
    """

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self.weight = float(weight)

    def forward(self, sample: Sample) -> Tensor:
        images = sample.images
        x = images / colour(IMAGENET_STD, images)
        differences = (
            x[..., :, 1:] - x[..., :, :-1],
            x[..., 1:, :] - x[..., :-1, :],
            x[..., 1:, 1:] - x[..., :-1, :-1],
            x[..., 1:, :-1] - x[..., :-1, 1:],
        )
        return sum((each.flatten(1).norm(dim=1) for each in differences), images.new_zeros(()))
