"""Random crops from a canvas."""

from __future__ import annotations

from torch import Tensor

from genviz.errors import UserError
from genviz.transforms.transform import Transform


class RandomCrop(Transform):
    """Crops images to ``margin`` fewer rows and columns at a random place: Mahendran & Vedaldi's (2016) jitter.

    Args:
        margin: T - 1, in pixels.
        until: the update from which the crop is central, as in their code's second stage; None for never.
    """

    def __init__(self, *, margin: int | None, until: int | None = None) -> None:
        super().__init__()
        if margin is None:
            raise UserError(
                "transform=jitter needs a canvas (generator=pixels with a margin); other generators take transform=roll"
            )
        if not isinstance(margin, int) or margin < 0:
            raise UserError(f"transform: margin must be a whole number of pixels, 0 or more, not {margin}")
        if until is not None and (not isinstance(until, int) or until < 0):
            raise UserError(f"transform: until must be a whole number of updates, or null, not {until}")
        self.margin, self.until = margin, until

    def forward(self, images: Tensor) -> Tensor:
        """Crop ``images`` (n, 3, h, w), each at its own place, to (n, 3, h - margin, w - margin)."""
        rows, columns = images.shape[2] - self.margin, images.shape[3] - self.margin
        if rows < 1 or columns < 1:
            raise UserError(f"transform: a margin of {self.margin} leaves nothing of {tuple(images.shape[2:])} pixels")
        if self.until is not None and self.update >= self.until:
            first = self.margin // 2
            return images[..., first : first + rows, first : first + columns]
        views = len(images) // len(self.streams)
        places = self.streams.whole(0, self.margin + 1, views, 2)
        return self.moved(images, places, lambda some, y, x: some[..., y : y + rows, x : x + columns])
