import pytest
import torch
from noisy_pictures import noise

from genviz.analysis import drawing
from genviz.analysis import examples as module
from genviz.analysis.examples import drawn, examples
from genviz.interfaces import SCORES

CARDIGAN = 3


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_UPDATES", 20)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for number in range(6):
        noise((12, 12), 40 * number, number).convert("RGB").save(tmp_path / f"photos/{number}.png")
    return tmp_path / "photos"


def test_of_a_folder_they_are_those_that_the_class_scores_highest(classifier, folder):
    found = examples(classifier, CARDIGAN, folder=folder, count=3)
    every = examples(classifier, CARDIGAN, folder=folder, count=99)
    scores = classifier(every.images, [SCORES])[SCORES][:, CARDIGAN]
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert (len(every.names), found.names) == (6, every.names[:3])
    assert torch.equal(found.images, every.images[:3])
    assert found.told.startswith("the 3 of 6 pictures in ")


def test_drawn_ones_are_the_same_every_time_and_kept(classifier, tmp_path, monkeypatch):
    first = drawn(classifier, CARDIGAN)
    torch.manual_seed(7)
    again = drawn(classifier, CARDIGAN, cache=tmp_path / "seen")
    assert torch.equal(first.images, again.images)
    assert first.images.shape == (4, 3, 12, 12)
    scores = classifier(first.images, [SCORES])[SCORES][:, CARDIGAN]
    noise = classifier(torch.rand(50, 3, 12, 12), [SCORES])[SCORES][:, CARDIGAN]
    assert scores.min() > noise.max()
    monkeypatch.setattr(drawing, "draw", lambda *a, **k: pytest.fail("drawn again"))
    kept = examples(classifier, CARDIGAN, cache=tmp_path / "seen")
    assert torch.equal(kept.images, first.images)


def test_what_is_kept_and_damaged_is_drawn_again(classifier, tmp_path):
    first = drawn(classifier, CARDIGAN, cache=tmp_path)
    sorted(tmp_path.glob("*.png"))[2].write_bytes(b"no picture")
    assert torch.equal(drawn(classifier, CARDIGAN, cache=tmp_path).images, first.images)
