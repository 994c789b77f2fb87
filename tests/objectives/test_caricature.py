import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.objectives.caricature import Caricature
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target, Unit


def made(tmp_path, weight=1.0):
    Image.new("RGB", (8, 8), (200, 100, 0)).save(tmp_path / "a.png")
    target = Target((Unit("layer", "conv1", (), 1.0, "conv1"),))
    return Caricature(target, TinyClassifier().outline, image=str(tmp_path / "a.png"), weight=weight)


def test_it_is_the_inner_product_with_what_was_active(tmp_path):
    """Mahendran & Vedaldi 2016, section 7."""
    objective = made(tmp_path, weight=3.0)
    reference = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    objective.wanted = objective.keep({"conv1": reference})
    seen = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    for score, one in zip(Sum({"caricature": objective})({"conv1": seen}), seen, strict=True):
        product = size = 0.0
        for a, b in zip(one.flatten().tolist(), reference.flatten().tolist(), strict=True):
            product += a * max(b, 0)
            size += max(b, 0) ** 2
        torch.testing.assert_close(score.item(), 3 * product / size)


def test_the_picture_itself_scores_1_where_nothing_is_negative(tmp_path):
    objective, classifier = made(tmp_path), TinyClassifier()
    objective.target = Target((Unit("layer", "relu1", (), 1.0, "relu1"),))
    objective.remember(classifier, (12, 12))
    seen = classifier(objective.picture, objective.layers)
    torch.testing.assert_close(objective(seen), torch.ones(1))
    assert objective.measure(seen) == {"inner product (1: as the picture)": objective(seen)}
    assert not objective.ranked
