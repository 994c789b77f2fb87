"""Networks whose gradients vanish, where an attack that fails proves nothing (Athalye et al. 2018)."""

import json

import linear_network
import numpy as np
import pytest
from PIL import Image

WORDS = [word.replace(":network", ":masked") for word in linear_network.WORDS]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, level in enumerate((60, 60, 180, 200, 220)):
        pixels = np.random.default_rng(number).integers(level, level + 20, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def outcomes(folder):
    (found,) = folder.glob("outputs/fool/**/results.json")
    return json.loads(found.read_text())["pictures"]


def test_a_vanishing_gradient_is_told(called, photos, tmp_path):
    done = called("fool", "image=photos", "steps=3", "epsilon=8/255", *WORDS)
    assert done.returncode == 0, done.stderr
    held = [name for name, own in outcomes(tmp_path).items() if not own["success"] and name in "234"]
    assert held
    told = f"a gradient of 0 in {len(held)} of the pictures: the network may hide it"
    assert told in done.stdout
    assert all(own["flat"] is (name in held) for name, own in outcomes(tmp_path).items())
    again = called("fool", "image=photos", "steps=3", "epsilon=8/255", *WORDS)
    assert again.stdout == done.stdout  # though nothing was attacked


def test_pictures_are_counted_and_not_attacks(called, photos, tmp_path):
    done = called("fool", "image=photos", "steps=3", "epsilon=8/255", "restarts=4", *WORDS)
    held = [name for name, own in outcomes(tmp_path).items() if not own["success"] and name in "234"]
    assert f"a gradient of 0 in {len(held)} of the pictures" in done.stdout


def test_the_curve_tells_what_holds_where_nothing_should(called, photos):
    done = called("fool", "image=photos", "--sweep", "steps=3", *WORDS)
    assert done.returncode == 0, done.stderr
    assert "of 5 still right at the largest epsilon, where none should be: gradients may be masked" in done.stdout
    assert "3 of 5 attacked pictures had a gradient of 0, which hides the way" in done.stdout
    assert called("fool", "image=photos", "--sweep", "steps=3", *WORDS).stdout == done.stdout


def test_a_silent_filter_has_no_gradient_and_nothing_is_said(called, photos, tmp_path):
    words = ["classifier=small", "classifier.input_size=64", "trainer.accelerator=cpu", "logger=none"]
    done = called("fool", "image=photos", "target=filter:relu5_1:3@-1", "epsilon=64/255", "steps=20", *words)
    assert all(own["activations"][1] == 0 for own in outcomes(tmp_path).values())
    assert "gradient of 0" not in done.stdout
