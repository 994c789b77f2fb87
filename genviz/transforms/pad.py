"""A border around each image."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform

_MOST = 100_000  # pixels


class Pad(Transform):
    """Adds a border to each image, for later transforms to move into (Olah et al. 2017, lucid).

    Args:
        pixels: width of the border.
        mode: ``reflect``: the image mirrored; ``replicate``: its edge pixels; ``constant``: grey, 0.5.
    """

    def __init__(self, *, pixels: int, mode: str = "reflect") -> None:
        super().__init__()
        if not isinstance(pixels, int) or not 0 <= pixels <= _MOST or mode not in ("reflect", "replicate", "constant"):
            raise UserError(
                f"transform: pixels={pixels} must be a whole number of pixels, 0 to {_MOST}, "
                f"and mode={mode} reflect, replicate or constant"
            )
        self.pixels, self.mode = pixels, mode

    def forward(self, images: Tensor) -> Tensor:
        """Pad ``images`` (n, 3, h, w) to (n, 3, h + 2 pixels, w + 2 pixels)."""
        if self.mode == "reflect" and self.pixels >= min(images.shape[2:]):
            raise UserError(
                f"transform: a border of {self.pixels} pixels cannot mirror {tuple(images.shape[2:])} pixels; "
                "give fewer pixels, or mode=replicate"
            )
        return F.pad(images, (self.pixels,) * 4, self.mode, 0.5 if self.mode == "constant" else None)
