"""The base class of transforms."""

from __future__ import annotations

from torch import nn

from genviz.images.randomness import Streams


class Transform(nn.Module):
    """A random change to images, each drawn from its own stream."""

    streams: Streams = Streams()
    """One per image; set by `genviz.coupling.Coupling`."""

    update: int = 0
    """Updates made so far; set during training."""
