"""The representations of before the deep networks, as networks: differentiable, and usable alone."""

from genviz.representations.dsift import DSIFT
from genviz.representations.hog import HOG

__all__ = ["DSIFT", "HOG"]
