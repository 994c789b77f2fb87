import math

import numpy as np
import pytest
import torch

from genviz.errors import UserError
from genviz.representations import DSIFT


def fast_atan2(y, x):
    """VLFeat's."""
    r = (x - abs(y)) / (x + abs(y)) if x >= 0 else (x + abs(y)) / (abs(y) - x)
    angle = (math.pi / 4 if x >= 0 else 3 * math.pi / 4) + (0.1821 * r * r - 0.9675) * r
    return -angle if y < 0 else angle


def slow_dsift(levels, cell, step, orientations=8):
    """VLFeat's dense SIFT with its flat window, value by value: grey levels (h, w) to (16 K, rows, columns)."""
    height, width = levels.shape
    down, across = np.gradient(levels)
    maps = np.zeros((orientations, height, width))
    for y in range(height):
        for x in range(width):
            norm = math.hypot(across[y, x], down[y, x])
            if norm > 0:
                place = fast_atan2(down[y, x], across[y, x]) / (2 * math.pi) * orientations
                low = math.floor(place)
                maps[low % orientations, y, x] += norm * (1 - place + low)
                maps[(low + 1) % orientations, y, x] += norm * (place - low)
    padded = np.pad(maps, ((0, 0), (cell, cell), (cell, cell)), mode="edge")
    triangle = 1 - np.abs(np.arange(1 - cell, cell)) / cell
    window = [
        np.mean([math.exp(-0.5 * ((z - cell * (b - 1.5)) / (2 * cell)) ** 2) for z in range(1 - cell, cell)])
        for b in range(4)
    ]
    rows, columns = ((side - 3 * cell - 1) // step + 1 for side in levels.shape)
    found = np.zeros((16 * orientations, rows, columns))
    for i in range(rows):
        for j in range(columns):
            for v in range(4):
                for u in range(4):
                    top, left = i * step + v * cell + 1, j * step + u * cell + 1
                    patch = padded[:, top : top + 2 * cell - 1, left : left + 2 * cell - 1]
                    values = window[v] * window[u] * (patch * triangle[:, None] * triangle).sum((1, 2))
                    found[orientations * (u + 4 * v) :, i, j][:orientations] = values
            found[:, i, j] /= np.linalg.norm(found[:, i, j])
            found[:, i, j] = found[:, i, j].clip(max=0.2)
            found[:, i, j] /= np.linalg.norm(found[:, i, j])
    return found


@pytest.mark.parametrize(
    ("size", "cell", "step"), [((21, 26), 4, 4), ((23, 20), 4, 6), ((14, 13), 4, 1), ((26, 31), 8, 3)]
)
def test_it_is_vlfeats(size, cell, step):
    levels = np.random.default_rng(0).integers(0, 256, size).astype(float)
    found = DSIFT(cell_size=cell, step=step)(torch.from_numpy(levels)[None, None] / 255)[0].numpy()
    np.testing.assert_allclose(found, slow_dsift(levels, cell, step), atol=1e-5)


def test_descriptors_are_of_length_1_and_a_cell_apart():
    seen = DSIFT()(torch.rand(2, 3, 48, 56, generator=torch.Generator().manual_seed(0)))
    assert seen.shape == (2, 128, 3, 4)
    torch.testing.assert_close(seen.norm(dim=1), torch.ones(2, 3, 4))


def test_its_derivative_is_that_of_differences():
    torch.manual_seed(0)
    images = torch.rand(1, 1, 13, 14, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(DSIFT(cell_size=4), images, eps=1e-7, atol=1e-4)


def test_a_flat_picture_has_empty_descriptors_and_a_finite_derivative():
    images = torch.full((1, 3, 25, 25), 0.5, requires_grad=True)
    seen = DSIFT()(images)
    seen.sum().backward()
    assert not seen.any()
    assert images.grad.isfinite().all()


def test_a_picture_smaller_than_a_descriptor_is_one_line():
    with pytest.raises(UserError, match="24 x 40 pixels is too small for cells of this size; 25 x 25"):
        DSIFT()(torch.rand(1, 3, 24, 40))


@pytest.mark.parametrize("size", [2.5, 0, 1])
def test_a_cell_is_whole_with_a_step_too(size):
    with pytest.raises(UserError, match="cell_size"):
        DSIFT(cell_size=size, step=4)
