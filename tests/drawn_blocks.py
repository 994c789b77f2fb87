"""Pictures with corners, which the tests draw."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def blocks(seed, size=96, count=60):
    """Rectangles of random colours, a little soft: RGB bytes (size, size, 3)."""
    draw, picture = np.random.default_rng(seed), np.zeros((size, size, 3))
    for _ in range(count):
        row, column = draw.integers(0, size, 2)
        height, width = draw.integers(size // 16, size // 5, 2)
        picture[row : row + height, column : column + width] = draw.random(3)
    return (gaussian_filter(picture, (0.7, 0.7, 0)) * 255).astype(np.uint8)


def cropped_and_turned(picture, share=0.85, degrees=4):
    side = len(picture)
    edge = round(side * (1 - share) / 2)
    turned = Image.fromarray(picture).rotate(degrees, resample=Image.BICUBIC)
    return np.asarray(turned.crop((edge, edge, side - edge, side - edge)))
