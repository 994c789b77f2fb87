"""A change of images on their way to the classifier."""

from __future__ import annotations

from torch import nn

from genviz.images.randomness import Streams


class Transform(nn.Module):
    """A random change of images, of each by numbers of its own stream."""

    streams: Streams = Streams()
    """One for each image; the training sets it where there are several."""

    update: int = 0
    """How many updates have been made; the training sets it."""
