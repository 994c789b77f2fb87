"""Transforms that are given their images' random numbers."""

from genviz.images.randomness import Streams


def of(transform, *seeds):
    """The transform of so many images."""
    transform.streams = Streams(seeds)
    return transform
