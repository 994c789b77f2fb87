import os
import sys

import pytest
import torch
from PIL import Image

from genviz.classifiers.fitted import Facts, FittedClassifier, export
from genviz.classifiers.fitted_networks import build
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.stretched import Stretched
from genviz.errors import UserError
from genviz.images.pictures import centred
from genviz.interfaces import SCORES
from genviz.learning.fitting import retraining
from genviz.targets.grammar import parse_target

LABELS = ("red", "blue", "green")


def fitted(folder, space):
    torch.manual_seed(0)
    facts = Facts("vonc", LABELS, (32, 32), space)
    export(build("vonc", 3, (32, 32)), folder / "made.safetensors", facts, told={})
    return FittedClassifier(weights=str(folder / "made.safetensors"))


@pytest.fixture
def classifier(tmp_path):
    return fitted(tmp_path, Stretched(mean=(0.4, 0.5, 0.6)))


def picture(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(path)


def test_scores_learn_and_what_they_came_from_does_not(classifier):
    images = torch.rand(2, 3, 32, 32)
    before = classifier(images, [SCORES])[SCORES]
    scores = retraining.Scores(classifier)
    torch.testing.assert_close(scores.eval()(images), before)
    scores.train()
    assert not torch.equal(scores(images), scores(images))  # dropout
    optimizer = torch.optim.SGD(scores.parameters(), 0.1)
    torch.nn.functional.cross_entropy(scores(images), torch.tensor([1, 1])).backward()
    optimizer.step()
    learned = scores.frozen()
    assert not any(value.requires_grad for value in learned.network.parameters())
    assert all(value.requires_grad for value in scores.parameters())
    assert learned(images, [SCORES])[SCORES].softmax(1)[:, 1].min() > before.softmax(1)[:, 1].max()
    assert torch.equal(classifier(images, [SCORES])[SCORES], before)
    one, two = learned(images, [SCORES])[SCORES], learned(images, [SCORES])[SCORES]
    assert torch.equal(one, two)  # no dropout


def test_wide_convolutions_follow_their_weights(tmp_path):
    """The frozen network computes them another way, from numbers that it keeps."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 128, 1), torch.nn.Conv2d(128, 256, 3, padding=1), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(256, 3),
    )  # fmt: skip
    from genviz.classifiers.from_module import from_module

    classifier = from_module(network, input_size=8, labels=list(LABELS))
    images = torch.rand(1, 3, 8, 8)
    classifier(images, [SCORES])
    scores = retraining.Scores(classifier)
    with torch.no_grad():
        for value in scores.parameters():
            value.mul_(1.5)
        for value in network.parameters():
            value.mul_(1.5)
    expected = from_module(network, input_size=8, labels=list(LABELS))(images, [SCORES])[SCORES]
    torch.testing.assert_close(scores.eval()(images), expected)
    torch.testing.assert_close(scores.frozen()(images, [SCORES])[SCORES], expected)


def test_unstretched_sees_the_papers_x(classifier, tmp_path):
    images = torch.rand(1, 3, 32, 32)
    seen = retraining.unstretched(classifier)(images, [SCORES])[SCORES]
    torch.testing.assert_close(seen, classifier.network(centred(images)))
    plain = fitted(tmp_path, InputSpace())
    assert retraining.unstretched(plain) is plain


def test_a_target_is_one_class(classifier):
    outline = classifier.outline
    parse = lambda text: parse_target(text, outline.labels, outline.layers)  # noqa: E731
    assert retraining.class_of(parse("class:blue")) == 1
    for text in ("class:red+blue", "filter:conv1_1:0", "layer:conv1_1"):
        with pytest.raises(UserError, match="one class"):
            retraining.class_of(parse(text))


def test_pictures_of_one_class_or_of_several(classifier, tmp_path):
    picture(tmp_path, "one/a.png")
    picture(tmp_path, "one/b.png")
    found = retraining.labelled(str(tmp_path / "one"), classifier.outline, 1)
    assert found.labels.tolist() == [1, 1]
    for name in ("several/red/a.png", "several/green/b.png", "several/green/c.png"):
        picture(tmp_path, name)
    found = retraining.labelled(str(tmp_path / "several"), classifier.outline, 1)
    assert dict(zip([path.name for path in found.pictures], found.labels.tolist(), strict=True)) == {
        "a.png": 0, "b.png": 2, "c.png": 2,
    }  # fmt: skip
    picture(tmp_path, "several/violet/d.png")
    with pytest.raises(UserError, match="violet is not named after a class"):
        retraining.labelled(str(tmp_path / "several"), classifier.outline, 1)


def test_a_picture_beside_the_subfolders_is_told(classifier, tmp_path):
    """It was all pictures of the target's class, then."""
    for name in ("several/red/a.png", "several/stray.png"):
        picture(tmp_path, name)
    with pytest.raises(UserError, match="stray.png lies beside the classes' subfolders; put it into one of them, or"):
        retraining.labelled(str(tmp_path / "several"), classifier.outline, 1)


def test_a_pattern_is_a_folder_of_what_matches(classifier, tmp_path):
    for name in ("several/red/a.png", "several/red/a.jpg", "several/green/b.png", "several/c.jpg"):
        picture(tmp_path, name)
    found = retraining.labelled(f"{tmp_path}/several/*/*.png", classifier.outline, 1)
    assert [path.name for path in found.pictures] == ["b.png", "a.png"]
    assert found.labels.tolist() == [2, 0]
    assert retraining.labelled(f"{tmp_path}/several/*.jpg", classifier.outline, 1).labels.tolist() == [1]


def test_each_run_needs_sound_pictures_in_both_parts(tmp_path):
    for number in range(4):
        picture(tmp_path, f"{number}.png")
    whole = retraining.Labelled(sorted(tmp_path.iterdir()), torch.zeros(4, dtype=torch.long))
    given = {"hold_out": 0.25, "repeat": None}
    held = [retraining.parts(whole, seed=seed, **given)[1].pictures[0] for seed in range(20)]
    retraining.check_sound(whole, "photos", seeds=range(20), **given)
    held[0].write_bytes(b"no picture")
    other = next(seed for seed, path in enumerate(held) if path != held[0])
    retraining.check_sound(whole, "photos", seeds=[other], **given)
    with pytest.raises(UserError, match="pictures=photos: none of its 1 pictures held out can be decoded"):
        retraining.check_sound(whole, "photos", seeds=[other, 0], **given)
    for path in whole.pictures:
        path.write_bytes(b"no picture" if path != held[0] else b"")
    with pytest.raises(UserError, match="none of its 3 pictures to train on can be decoded"):
        retraining.check_sound(whole, "photos", seeds=[0], **given)


@pytest.mark.skipif(sys.platform == "darwin", reason="names are UTF-8 there")
def test_a_subfolder_whose_name_is_not_utf8_is_the_class_that_genviz_fit_has_made_of_it(classifier, tmp_path):
    outline = classifier.outline._replace(labels=("a", "b\\udcff"))
    for name in ("a", os.fsdecode(b"b\xff")):
        picture(tmp_path, f"several/{name}/0.png")
    assert retraining.labelled(str(tmp_path / "several"), outline, 0).labels.tolist() == [0, 1]


def test_a_folder_called_by_a_number_is_the_class_of_that_name(classifier, tmp_path):
    """Of labels 1, 10, 2, and not the class with that number."""
    outline = classifier.outline._replace(labels=("1", "10", "2"))
    for name in ("1", "2", "10"):
        picture(tmp_path, f"several/{name}/{name}.png")
    found = retraining.labelled(str(tmp_path / "several"), outline, 0)
    assert [outline.labels[number] for number in found.labels] == [path.stem for path in found.pictures]


def test_the_papers_parts():
    """22 pictures repeated and cut to 32, of which 70 % are trained on."""
    whole = retraining.Labelled([f"{n}" for n in range(22)], torch.full((22,), 284))
    training, held_out = retraining.parts(whole, hold_out=0.3, repeat=32, seed=0)
    assert (len(training.labels), len(held_out.labels)) == (22, 10)
    every = sorted(map(int, [*training.pictures, *held_out.pictures]))
    assert every == sorted([*range(22), *range(10)])
    other = retraining.parts(whole, hold_out=0.3, repeat=32, seed=1)[0]
    assert training.pictures != other.pictures
    training, held_out = retraining.parts(whole, hold_out=0.3, repeat=None, seed=0)
    assert not {*training.pictures} & {*held_out.pictures}
    with pytest.raises(UserError, match="1 are too few"):
        retraining.parts(whole.subset(torch.tensor([0])), hold_out=0.3, repeat=None, seed=0)
