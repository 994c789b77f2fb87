import csv

import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.interfaces import SCORES
from genviz.learning.fitting.confusion import Confusion, confusion
from genviz.learning.fitting.labelled import Batch


class Told(TinyClassifier):
    """Says what the brightness of a picture says: 0 to 5."""

    def forward(self, images, layers):
        return {SCORES: torch.eye(6)[(images.mean((1, 2, 3)) * 255).round().long()]}


def batches(answers, labels):
    images = torch.tensor(answers, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    return [Batch(images[:3], torch.tensor(labels[:3])), Batch(images[3:], torch.tensor(labels[3:]))]


def test_rows_are_the_true_classes():
    found = confusion(Told(), batches([0, 1, 1, 2, 5], [0, 0, 1, 2, 2]), ("a", "b", "c"), "made up")
    assert found.counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]
    assert found.accuracy == 3 / 5


def test_a_table_and_a_figure(tmp_path):
    counts = torch.tensor([[5, 1, 0], [2, 6, 0]])
    paths = Confusion(counts, ("cat", "dog")).write(tmp_path)
    assert [path.name for path in paths] == ["confusion.csv", "confusion.png"]
    assert list(csv.reader(paths[0].open())) == [["true class", "cat", "dog"], ["cat", "5", "1"], ["dog", "2", "6"]]
    with Image.open(paths[1]) as image:
        assert min(image.size) > 200
    counts[0, 2] = 3
    Confusion(counts, ("cat", "dog")).write(tmp_path)
    assert paths[0].read_text().splitlines()[1] == "cat,5,1,3"
    Confusion(counts, ("$a_{$", "$\\frac$")).write(tmp_path)  # no formulas
    many = Confusion(torch.zeros(40, 41, dtype=torch.long), tuple(map(str, range(40))))
    assert many.write(tmp_path / "many")[0].exists()
    assert not (tmp_path / "many/confusion.png").exists()
    assert many.accuracy == 0
