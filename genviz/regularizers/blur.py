"""Penalty on what a Gaussian blur removes."""

from __future__ import annotations

from torch import Tensor
from torchvision.transforms.v2.functional import gaussian_blur

from genviz.errors import UserError
from genviz.interfaces import Regularizer, Sample


class Blur(Regularizer):
    """The mean squared difference between the image and its Gaussian blur, RGB in [0, 1].

    Yosinski et al. (2015) blur the image every few steps; as a penalty (Olah et al. 2017) the pull does not depend on
    the optimizer.

    Args:
        weight: of the penalty.
        sigma: standard deviation of the Gaussian, in pixels.
    """

    def __init__(self, *, weight: float, sigma: float = 1.0) -> None:
        super().__init__()
        if not sigma > 0:
            raise UserError(f"blur: sigma={sigma} must be above 0")
        self.weight, self.sigma = float(weight), float(sigma)

    def forward(self, sample: Sample) -> Tensor:
        side = min(2 * round(3 * self.sigma) + 1, 2 * min(sample.images.shape[2:]) - 1)
        blurred = gaussian_blur(sample.images, [side, side], [self.sigma, self.sigma])
        return (sample.images - blurred).square().mean((1, 2, 3))
