"""Pictures of noise, the same in each run."""

import numpy as np
from PIL import Image


def noise(size, spread, seed=0):
    """A grey picture of (width, height) pixels: Gaussian noise around 128, with this standard deviation."""
    values = np.random.default_rng(seed).normal(128, spread, size[::-1])
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
