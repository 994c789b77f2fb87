import pytest
import torch
from streams import of

from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier
from genviz.objectives.activation import Activation
from genviz.targets.grammar import parse_target
from genviz.transforms.dropout import Dropout
from genviz.transforms.flip import RandomFlip

SCORES = ["scores"]


def test_it_zeroes_a_share_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout = of(Dropout(share=0.25), 0)
    features = torch.ones(1, 200, 50, 50)
    changed = dropout.changed(features, dropout.drawn(200, 50, 50))
    assert changed.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (changed == 0).float().mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("share", [-0.1, 1, 1.5, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(share):
    with pytest.raises(UserError, match="must be from 0 up to, but not including, 1"):
        Dropout(share=share)


@pytest.mark.parametrize("at_once", [1, 2, 3, 6])
def test_an_image_of_a_batch_is_seen_as_if_alone(classifier, at_once):
    images, seeds = torch.rand(6, 3, 12, 12), [5, 3, 5]  # two views of each
    seen = of(Dropout(share=0.5), *seeds).look(classifier, images, SCORES, at_once)["scores"]
    for number, seed in enumerate(seeds):
        own = images[2 * number : 2 * number + 2]
        alone = of(Dropout(share=0.5), seed).look(classifier, own, SCORES, 2)["scores"]
        torch.testing.assert_close(seen[2 * number : 2 * number + 2], alone)
    assert not torch.allclose(seen, classifier(images, SCORES)["scores"])


def test_a_network_that_takes_one_picture_at_a_time(classifier):
    images = torch.rand(2, 3, 12, 12)
    together = of(Dropout(share=0.5), 0).look(classifier, images, SCORES, 2)["scores"]
    classifier.at_once = 1
    asked = []
    through = classifier.seen_through
    classifier.seen_through = lambda images, *given: asked.append(len(images)) or through(images, *given)
    torch.testing.assert_close(of(Dropout(share=0.5), 0).look(classifier, images, SCORES, 2)["scores"], together)
    assert asked == [1, 1]


def test_only_what_comes_after_the_layer_is_changed(classifier):
    images = torch.rand(1, 3, 12, 12)
    whole = classifier(images, ["conv1", "relu1", "scores"])
    seen = of(Dropout(share=0.5), 0).look(classifier, images, ["conv1", "relu1", "scores"], 1)
    assert torch.equal(seen["conv1"], whole["conv1"])
    assert not torch.allclose(seen["scores"], whole["scores"])
    for layer in ("conv1", "relu1"):  # before it, and the layer itself, of which no value is set to 0
        asked = of(Dropout(share=0.5, layer="relu1"), 0)
        assert torch.equal(asked.look(classifier, images, [layer], 1)[layer], whole[layer])
    early = of(Dropout(share=0.5, layer="conv1"), 0).look(classifier, images, ["relu1"], 1)["relu1"]
    assert (early == 0).sum() > (whole["relu1"] == 0).sum()


def test_it_leaves_out_a_classifier_that_cannot_be_changed(classifier):
    class Plain(type(classifier)):
        seen_through = Classifier.seen_through

    images = torch.rand(1, 3, 12, 12)
    plain = Plain()
    seen = of(Dropout(share=0.5), 0).look(plain, images, SCORES, 1)["scores"]
    assert torch.equal(seen, plain(images, SCORES)["scores"])


def couple(classifier, *transforms, seeds=(0,)):
    target = parse_target("class:harmonica", classifier.outline.labels, classifier.outline.layers)
    streams = Streams(seeds)
    return Coupling(
        generator=Pixels(size=(12, 12), noise=0.1, streams=streams),
        classifier=classifier,
        objective=Activation(target, lambda_others=0.1),
        target=target,
        optimizer=lambda parameters: torch.optim.Adam(parameters),
        transforms=transforms,
        streams=streams,
    )


def test_a_coupling_looks_through_it_while_it_trains(classifier):
    with_dropout = couple(classifier, RandomFlip(), Dropout(share=0.5), seeds=(0, 1))
    without = couple(classifier, RandomFlip(), seeds=(0, 1))
    assert len(with_dropout.transforms) == 1  # the other one is none of the pictures'
    losses = [
        [coupling.training_step(None, 0)["loss"].item() for _ in range(2)] for coupling in (with_dropout, without)
    ]
    assert losses[0][0] != losses[1][0]
    torch.testing.assert_close(with_dropout.settled(), without.settled())


def test_a_coupling_takes_one_and_checks_its_layer(classifier):
    with pytest.raises(UserError, match="Dropout and Dropout: only one of them"):
        couple(classifier, Dropout(share=0.5), Dropout(share=0.1))
    with pytest.raises(UserError, match="relu9"):
        couple(classifier, Dropout(share=0.5, layer="relu9"))
    with pytest.raises(UserError, match="no layer is called '3'"):  # as Hydra reads it
        couple(classifier, Dropout(share=0.5, layer=3))
