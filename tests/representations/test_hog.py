import math

import numpy as np
import pytest
import torch

from genviz.errors import UserError
from genviz.representations import HOG


def slow_hog(levels, cell, orientations, bilinear):
    """VLFeat's HOG, pixel by pixel: grey levels (h, w) to (3 K, rows, columns)."""
    rows, columns = ((side + cell // 2) // cell for side in levels.shape)
    cells = np.zeros((2 * orientations, rows + 2, columns + 2))
    for y in range(1, levels.shape[0] - 1):
        for x in range(1, levels.shape[1] - 1):
            across, down = levels[y, x + 1] - levels[y, x - 1], levels[y + 1, x] - levels[y - 1, x]
            norm = math.hypot(across, down)
            if norm == 0:
                continue
            scores = []
            for k in range(orientations):
                score = np.float32(across * math.cos(k * math.pi / orientations))
                score += np.float32(down * math.sin(k * math.pi / orientations))
                scores.append((abs(score) / norm, k if score >= 0 else k + orientations))
            first, second = sorted(scores, key=lambda pair: -pair[0])[:2]  # stable: of equal ones, the lower
            share = math.acos(min(first[0], 1)) / (math.pi / orientations) if bilinear else 0.0
            top, left = (y + 0.5) / cell - 0.5, (x + 0.5) / cell - 0.5
            for k, weight in ((first[1], 1 - share), (second[1], share)):
                for i in (math.floor(top), math.floor(top) + 1):
                    for j in (math.floor(left), math.floor(left) + 1):
                        if 0 <= i < rows and 0 <= j < columns:
                            cells[k, i, j] += weight * norm * (1 - abs(top - i)) * (1 - abs(left - j))
    cells = cells[:, :rows, :columns]
    both = cells[:orientations] + cells[orientations:]
    energy = (both**2).sum(0)
    found = np.zeros((3 * orientations, rows, columns))
    for i in range(rows):
        for j in range(columns):
            for down in (-1, 0):
                for across in (-1, 0):
                    block = [
                        energy[min(max(a, 0), rows - 1), min(max(b, 0), columns - 1)]
                        for a in (i + down, i + down + 1)
                        for b in (j + across, j + across + 1)
                    ]
                    values = np.concatenate([cells[:, i, j], both[:, i, j]])
                    found[:, i, j] += 0.5 * np.minimum(values / math.sqrt(sum(block) + 1e-4), 0.2)
    return found


def picture(rows, columns, seed=0):
    """Grey levels, of few values, so that gradients are often vertical: equally near to two of nine orientations."""
    return np.random.default_rng(seed).integers(0, 3, (rows, columns)) * 60.0


@pytest.mark.parametrize("bilinear", [False, True])
@pytest.mark.parametrize(
    ("size", "cell", "orientations"), [((19, 27), 8, 9), ((16, 12), 4, 9), ((17, 13), 5, 6), ((9, 30), 2, 4)]
)
def test_it_is_vlfeats(size, cell, orientations, bilinear):
    levels = picture(*size)
    hog = HOG(cell_size=cell, orientations=orientations, bilinear=bilinear)
    found = hog(torch.from_numpy(levels)[None, None] / 255)[0].numpy()
    np.testing.assert_allclose(found, slow_hog(levels, cell, orientations, bilinear), atol=1e-5)


@pytest.mark.parametrize("bilinear", [False, True])
def test_the_faintest_gradients_count_as_vlfeats(bilinear):
    levels = np.zeros((24, 28))
    levels[9, 9], levels[17, 20:] = 1.0, 3.0
    found = HOG(cell_size=4, bilinear=bilinear)(torch.from_numpy(levels)[None, None] / 255)[0].numpy()
    np.testing.assert_allclose(found, slow_hog(levels, 4, 9, bilinear), atol=1e-5)


def test_grey_is_grey_in_any_form():
    grey = torch.from_numpy(picture(24, 32)).float()[None, None] / 255
    torch.testing.assert_close(HOG()(grey.expand(-1, 3, -1, -1)), HOG()(grey), atol=1e-5, rtol=0)
    torch.testing.assert_close(HOG()(2 * grey), HOG()(grey), atol=1e-5, rtol=0)  # whatever the contrast


def test_its_derivative_is_that_of_differences():
    torch.manual_seed(0)
    images = torch.rand(1, 1, 10, 11, dtype=torch.float64, requires_grad=True)
    for bilinear in (False, True):
        assert torch.autograd.gradcheck(HOG(cell_size=4, bilinear=bilinear), images, eps=1e-7, atol=1e-4)


def test_a_flat_picture_has_no_gradient_and_a_finite_derivative():
    images = torch.full((1, 3, 16, 16), 0.5, requires_grad=True)
    seen = HOG(bilinear=True)(images)
    seen.sum().backward()
    assert not seen.any()
    assert images.grad.isfinite().all()


def test_with_colour_the_strongest_channel_counts():
    images = torch.zeros(1, 3, 16, 16)
    images[:, 2] = torch.linspace(0, 1, 16)  # blue
    images[:, 0] = 0.5 * torch.linspace(1, 0, 16)[:, None]  # red, weaker, and across
    coloured = HOG(colour=True)(images)
    torch.testing.assert_close(coloured, HOG()(images[:, 2:]))
    assert (HOG()(images) - coloured).abs().max() > 0.1


@pytest.mark.parametrize(("name", "value"), [("cell_size", 1), ("cell_size", 8.0), ("orientations", True)])
def test_a_setting_that_cannot_work_is_one_line(name, value):
    with pytest.raises(UserError, match=f"{name}={value} must be a whole number"):
        HOG(**{name: value})


@pytest.mark.parametrize(
    ("shape", "told"), [((3, 8, 8), "not .3, 8, 8"), ((1, 2, 8, 8), "RGB"), ((1, 3, 3, 9), "4 x 4 are the least")]
)
def test_what_is_no_picture_is_one_line(shape, told):
    with pytest.raises(UserError, match=told):
        HOG()(torch.rand(shape))
