import numpy as np
import pytest
import torch
from scipy import ndimage

from genviz.errors import UserError
from genviz.learning.fitting.augmentation import Augmentation


def smooth(rows, columns):
    down, across = torch.meshgrid(torch.linspace(0, 1, rows), torch.linspace(0, 1, columns), indexing="ij")
    return torch.stack([down, across, (3 * down + 2 * across).sin()])[None]


@pytest.mark.parametrize(("angle", "down", "across", "size", "mirrored"), [
    (20.0, 0, 0, 1.0, False), (-13.0, 0.2, -0.1, 1.0, False), (0.0, 0, 0, 0.8, False), (10.0, 0.1, 0.2, 1.2, True),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(21, 21), (20, 30)])
def test_as_scipy_moves_a_picture(monkeypatch, shape, angle, down, across, size, mirrored):
    """Keras' way: an affine map of the places, about the middle, with the nearest pixel where the picture ends."""
    rows, columns = shape
    shifts = down / 0.4 + 0.5, across / 0.4 + 0.5
    draws = iter([angle / 40 + 0.5, *shifts, (size - 1) / 0.6 + 0.5, 0.0 if mirrored else 0.9])
    monkeypatch.setattr(torch, "rand", lambda count, generator=None: torch.full((count,), next(draws)))
    picture = smooth(rows, columns)
    made = Augmentation(rotation=20, shift=0.2, zoom=0.3, flip=True)(picture)[0]
    turn, middle = np.deg2rad(angle), np.array([(rows - 1) / 2, (columns - 1) / 2])
    cosine, sine, mirror = np.cos(turn) / size, np.sin(turn) / size, -1 if mirrored else 1
    matrix = np.array([[cosine, mirror * sine], [-sine, mirror * cosine]])
    offset = middle - matrix @ middle + np.array([down * rows, across * columns])
    expected = np.stack(
        [ndimage.affine_transform(plane, matrix, offset, order=1, mode="nearest") for plane in picture[0].numpy()]
    )
    np.testing.assert_allclose(made.numpy(), expected, atol=2e-3)


def test_draws_cover_the_range():
    """The centre of mass of a dot says where it has gone."""
    dot = torch.zeros(2000, 3, 41, 41)
    dot[..., 19:22, 19:22] = 1
    made = Augmentation(shift=0.2)(dot, torch.Generator().manual_seed(0))
    places = torch.arange(41.0)
    down = (made[:, 0].sum(2) * places).sum(1) / made[:, 0].sum((1, 2)) - 20
    assert 0.97 * 8.2 < down.abs().max() <= 8.2 + 0.02
    assert abs(down.mean().item()) < 0.3
    assert down.std().item() == pytest.approx(8.2 / 3**0.5, rel=0.05)


def test_nothing_is_nothing():
    images = torch.rand(2, 3, 5, 5)
    assert Augmentation()(images) is images
    mirrored = Augmentation(flip=True)(images.repeat(50, 1, 1, 1), torch.Generator().manual_seed(0))
    either = [torch.allclose(one, images[n % 2], atol=1e-5) for n, one in enumerate(mirrored)]
    other = [torch.allclose(one, images[n % 2].flip(-1), atol=1e-5) for n, one in enumerate(mirrored)]
    assert all(map(bool.__or__, either, other))
    assert 30 < sum(other) < 70


@pytest.mark.parametrize("wrong", [{"rotation": -1}, {"shift": 1.5}, {"zoom": 1.0}, {"rotation": "far"}])
def test_ranges(wrong):
    with pytest.raises(UserError, match="augmentation"):
        Augmentation(**wrong).check()
