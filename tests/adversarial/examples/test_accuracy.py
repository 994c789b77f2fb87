"""The other tests of the curve are in ``test_fool.py`` and ``test_fool_masked.py``."""

import csv
import json

import linear_network
import numpy as np
import pytest
from linear_network import WORDS, folder
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


@pytest.mark.slow
@pytest.mark.parametrize("target", ["target=class:third", "target=random"])
def test_a_picture_that_another_class_is_seen_in_is_wrong_whatever_was_wanted(called, tmp_path, target):
    """Of three classes, some pictures are taken for the one that was not asked for."""
    folder(tmp_path / "photos", 12)
    done = called("fool", "image=photos", "--sweep", target, "steps=2", *WORDS)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.rglob("curve.csv")
    with path.open() as file:
        told = {float(row["epsilon"]): int(row["right"]) for row in csv.DictReader(file)}
    for epsilon, right in list(told.items())[1:]:
        place = path.parent / f"{round(255 * epsilon)}-over-255"
        made = [json.loads(each.read_text()).get("outcome") for each in place.glob("*/outcome.json")]
        assert right == sum(one["after"][0]["number"] == one["before"][0]["number"] for one in made if one)
