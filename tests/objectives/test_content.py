import torch
from PIL import Image

from genviz.objectives.content import Content


def test_it_is_half_the_squared_distance(tmp_path):
    """Gerretsen & Grinsztajn, Eq. 3 and 5."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    objective = Content(image=str(tmp_path / "a.png"), at=["a", "b"], weights=[1.0, 2.0], weight=0.5)
    wanted = {"a": torch.randn(1, 3, 4, 4, dtype=torch.float64), "b": torch.randn(1, 2, 2, 2, dtype=torch.float64)}
    seen = {name: torch.randn(2, *value.shape[1:], dtype=torch.float64) for name, value in wanted.items()}
    objective.wanted = wanted
    for number, score in enumerate(objective(seen)):
        total = 0.0
        for name, weight in (("a", 1.0), ("b", 2.0)):
            pairs = zip(seen[name][number].flatten().tolist(), wanted[name].flatten().tolist(), strict=True)
            total += weight * sum((x - c) ** 2 for x, c in pairs) / 2
        torch.testing.assert_close(score.item(), -0.5 * total)
