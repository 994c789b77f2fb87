import numpy as np
import pytest
import torch
from PIL import Image

from genviz.analysis.feature_cache import look_through
from genviz.errors import UserError
from genviz.images.pictures import read_upright
from genviz.interfaces import SCORES


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for number, name in enumerate(("a.png", "below/b.jpg", "c.png", "d.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40 + number, 30), Image.Resampling.BICUBIC).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def test_each_picture_is_seen_as_it_is_alone(classifier, folder, capsys):
    found = look_through(folder, classifier, at_once=3)
    assert found.names == ["a.png", "below/b.jpg", "c.png", "d.png"]
    assert found.damaged == ["broken.jpg"]
    assert f"left out: {folder}/broken.jpg cannot be decoded" in capsys.readouterr().err
    for name, features, scores in zip(found.names, found.features, found.scores, strict=True):
        seen = classifier(read_upright(folder / name), ["relu1", SCORES])
        torch.testing.assert_close(scores, seen[SCORES][0])
        torch.testing.assert_close(features, seen["relu1"][0].mean((1, 2)))  # it has no head that is known


def test_what_was_seen_is_not_looked_at_again(classifier, folder, tmp_path):
    first = look_through(folder, classifier, cache=tmp_path / "seen")
    classifier.head.weight.zero_()  # under the same hash
    again = look_through(folder, classifier, cache=tmp_path / "seen")
    assert torch.equal(first.features, again.features)
    assert torch.equal(first.scores, again.scores)
    found = look_through(folder, classifier, features="scores", cache=tmp_path / "seen")
    assert torch.equal(found.features, found.scores)
    assert not torch.equal(found.scores, first.scores)


def test_a_folder_without_a_sound_picture_is_told(classifier, tmp_path):
    with pytest.raises(UserError, match="pictures=.*there is no such folder"):
        look_through(tmp_path / "nowhere", classifier)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="none of its 1 pictures can be decoded"):
        look_through(tmp_path, classifier)
