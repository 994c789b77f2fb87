import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.objectives.cosine import Cosine
from genviz.targets.grammar import Target, Unit

TARGET = Target((Unit("layer", "a", (), 1.0, "a"), Unit("filter", "b", (2,), 0.5, "2")))


@pytest.fixture
def objective(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    made = Cosine(TARGET, image=str(tmp_path / "a.png"))
    made.wanted = {"a": torch.randn(1, 4, 3, 3, dtype=torch.float64), "b": torch.randn(1, 5, 2, 2, dtype=torch.float64)}
    return made


def test_it_is_the_cosine_of_the_angle(objective):
    seen = {"a": torch.randn(2, 4, 3, 3, dtype=torch.float64), "b": torch.randn(2, 5, 2, 2, dtype=torch.float64)}
    for number, score in enumerate(objective(seen)):
        total = 0.0
        for got, wanted, weight in (
            (seen["a"][number], objective.wanted["a"][0], 1.0), (seen["b"][number, 2], objective.wanted["b"][0, 2], 0.5)
        ):  # fmt: skip
            pairs = list(zip(got.flatten().tolist(), wanted.flatten().tolist(), strict=True))
            lengths = sum(x * x for x, _ in pairs) ** 0.5 * sum(y * y for _, y in pairs) ** 0.5
            total += weight * sum(x * y for x, y in pairs) / lengths
        assert score.item() == pytest.approx(total)


def test_length_does_not_count(objective):
    twice = {name: 2 * value for name, value in objective.wanted.items()}
    assert objective(twice).item() == pytest.approx(1.5)


def test_it_takes_a_picture():
    with pytest.raises(UserError, match="say which picture: image=FILE"):
        Cosine(TARGET)
