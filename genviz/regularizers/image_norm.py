"""A norm of the image."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.images.pictures import centred
from genviz.interfaces import Regularizer, Sample


class ImageNorm(Regularizer):
    """(1 / (3 h w) sum |x|^p)^(1 / p) / 128, with x the image in 0-255 minus the mean colour.

    l2 (Simonyan et al. 2014, section 2) or l6 (Gerretsen & Grinsztajn, section 2.2), as a mean, so that the weight does
    not depend on the image size.

    Args:
        weight: of the penalty.
        order: p, 1 or more.
    """

    def __init__(self, *, weight: float, order: float) -> None:
        super().__init__()
        if not order >= 1:
            raise UserError(f"image_norm: order={order} must be 1 or more")
        self.weight, self.order = float(weight), float(order)

    def forward(self, sample: Sample) -> Tensor:
        x = centred(sample.images).flatten(1) / 128
        return x.norm(self.order, dim=1) / x.shape[1] ** (1 / self.order)
