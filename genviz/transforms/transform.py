"""The base class of transforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from genviz.images.randomness import Streams


class Transform(nn.Module):
    """A random change to images, each drawn from its own stream."""

    streams: Streams = Streams()
    """One per image; set by `genviz.coupling.Coupling`."""

    update: int | Tensor = 0
    """Updates made so far; set during training."""

    def moved(
        self, images: Tensor, places: Sequence[Sequence[tuple[int, int]]], move: Callable[[Tensor, int, int], Tensor]
    ) -> Tensor:
        """Move each of ``images`` (n * views, 3, h, w) by its own numbers; those that move alike together.

        Args:
            places: rows and columns for each image and view.
            move: moves some images by the same number of rows and columns.
        """
        views = images.unflatten(0, (len(places), -1))
        if self.streams.alike:
            rows = [move(views[:, view], *place) for view, place in enumerate(places[0])]
            return torch.stack(rows, 1).flatten(0, 1)
        each = zip(views.flatten(0, 1), (place for own in places for place in own), strict=True)
        return torch.stack([move(view, *place) for view, place in each])
