"""The other tests of the curve are in ``test_fool.py`` and ``test_fool_masked.py``."""

import csv
import json

import linear_network
import numpy as np
import pytest
import torch
from linear_network import WORDS
from PIL import Image

from genviz.adversarial.examples import accuracy

MASKED = [word.replace(":network", ":masked") for word in linear_network.WORDS]


def test_one_is_not_several(called, tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(accuracy, "write_curves", lambda *_, title, **__: titles.append(title))
    monkeypatch.setattr(accuracy, "log_pictures", lambda *_: "not logged")
    pixels = np.random.default_rng(0).integers(200, 220, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    done = called("fool", "image=a.png", "--sweep", "method=fgsm", *MASKED)
    assert done.returncode == 0, done.stderr
    assert "note: 1 of 1 still right at the largest epsilon, where none should be" in done.stdout
    called("fool", "image=a.png", "--sweep", "steps=2", "restarts=2", *MASKED)
    assert titles == ["FGSM, 1 step, 1 start", "PGD, 2 steps, 2 starts"]


def near_ties(root, count):
    """Write pictures in which the first two classes are nearly even and the third is far behind."""
    root.mkdir()
    numbers = iter(range(10_000))
    while count:
        pixels = np.random.default_rng(next(numbers)).integers(108, 148, (8, 8, 3), dtype=np.uint8)
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255 - 0.5
        first, second, third = linear_network.network()(image)[0].tolist()
        if abs(first - second) < 0.05 and third < first - 1.5:
            Image.fromarray(pixels).save(root / f"tie {count}.png")
            count -= 1


@pytest.mark.slow
@pytest.mark.parametrize("target", ["target=class:third", "target=random"])
def test_a_picture_that_another_class_is_seen_in_is_wrong_whatever_was_wanted(called, tmp_path, target):
    """Of three classes, some pictures are taken for the one that was not asked for."""
    near_ties(tmp_path / "photos", 24)
    done = called("fool", "image=photos", "--sweep", target, "steps=2", *WORDS)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("curve.csv")
    with path.open() as file:
        told = {float(row["epsilon"]): int(row["right"]) for row in csv.DictReader(file)}
    assert len(told) > 1
    other = 0
    for epsilon, right in list(told.items())[1:]:
        place = path.parent / f"{round(255 * epsilon)}-over-255"
        outcomes = [json.loads(each.read_text()).get("outcome") for each in place.glob("*/outcome.json")]
        made = [one for one in outcomes if one]
        changed = [one["after"][0]["number"] != one["before"][0]["number"] for one in made]
        assert right == changed.count(False)
        other += sum(new and not one["success"] for new, one in zip(changed, made, strict=True))
    assert other > 0  # pictures of a class that nobody asked for
