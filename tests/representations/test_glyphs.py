import torch

from genviz.representations import HOG
from genviz.representations.glyphs import glyphs


def test_a_stroke_lies_along_the_edge():
    """A vertical edge has a horizontal gradient, orientation 0, and a vertical stroke."""
    undirected = torch.zeros(1, 9, 1, 1)
    undirected[:, 0] = 0.3
    drawn = glyphs(undirected, 15)[0, 0]
    assert drawn[:, 7].min() == drawn.max() == 1
    assert not drawn[:, [0, 1, 2, 12, 13, 14]].any()


def test_a_picture_of_stripes_has_strokes_along_them():
    stripes = (torch.arange(64) // 8 % 2).float().expand(1, 3, 64, 64)
    drawn = glyphs(HOG()(stripes)[:, 18:])
    assert drawn.shape == (1, 1, 128, 128)
    assert drawn.diff(dim=3).abs().sum() > 4 * drawn.diff(dim=2).abs().sum()
    assert 0 <= drawn.min() < drawn.max() <= 1
