import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.objectives.style import Style, gram


def made(tmp_path, **settings):
    Image.new("RGB", (8, 8), (200, 100, 0)).save(tmp_path / "a.png")
    return Style(image=str(tmp_path / "a.png"), **settings)


def test_it_is_gatys_sum(tmp_path):
    """Gerretsen & Grinsztajn, Eq. 4 and 5, number by number."""
    objective = made(tmp_path, at=["a", "b"], weights=[1.0, 0.7], weight=3e3)
    style = {"a": torch.randn(1, 3, 4, 4, dtype=torch.float64), "b": torch.randn(1, 5, 2, 2, dtype=torch.float64)}
    seen = {name: torch.randn_like(value) for name, value in style.items()}
    objective.wanted = objective.keep(style)
    total = 0.0
    for name, weight in (("a", 1.0), ("b", 0.7)):
        features, others = seen[name][0].flatten(1), style[name][0].flatten(1)
        n, m = features.shape
        for i in range(n):
            for j in range(n):
                ours = sum(float(features[i, k] * features[j, k]) for k in range(m))
                theirs = sum(float(others[i, k] * others[j, k]) for k in range(m))
                total += weight * (ours - theirs) ** 2 / (4 * n**2 * m**2)
    torch.testing.assert_close(objective(seen).item(), -3e3 * total)


def test_where_things_are_does_not_count(tmp_path):
    objective = made(tmp_path, at=["a"])
    style = torch.randn(1, 3, 4, 4)
    objective.wanted = objective.keep({"a": style})
    assert objective({"a": style.flip(2).roll(1, 3)}).abs().item() < 1e-6
    assert objective({"a": style.repeat(1, 1, 2, 3)}).abs().item() < 1e-6  # whatever its size


def test_layers_without_positions_have_no_style():
    with pytest.raises(UserError, match="convolutional"):
        gram(torch.randn(1, 5))


def test_as_many_weights_as_layers(tmp_path):
    with pytest.raises(UserError, match="2 weights for 1 layers"):
        made(tmp_path, at=["a"], weights=[1, 2])
