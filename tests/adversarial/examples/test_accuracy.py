"""The other tests of the curve are in ``test_fool.py`` and ``test_fool_masked.py``."""

import linear_network
import numpy as np
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
    assert "mind: 1 of 1 still right at the largest epsilon, where none should be" in done.stdout
    called("fool", "image=a.png", "--sweep", "steps=2", "restarts=2", *MASKED)
    assert titles == ["FGSM, 1 step, 1 start", "PGD, 2 steps, 2 starts"]
