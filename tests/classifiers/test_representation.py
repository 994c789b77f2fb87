import pytest
import torch

from genviz.classifiers.representation import DSIFTClassifier, HOGClassifier
from genviz.errors import UserError
from genviz.representations import DSIFT, HOG
from genviz.retrieval.cut import box_of
from genviz.targets.grammar import parse_target
from genviz.targets.units import Targets
from genviz.training.verdict import judge_images


@pytest.mark.parametrize(
    ("classifier", "network", "layer", "shape"),
    [
        (HOGClassifier(input_size=48, bilinear=True), HOG(bilinear=True), "hog", (27, 6, 6)),
        (HOGClassifier(input_size=(40, 48), cell_size=4), HOG(cell_size=4), "hog", (27, 10, 12)),
        (DSIFTClassifier(input_size=48, step=12), DSIFT(step=12), "dsift", (128, 2, 2)),
    ],
)
def test_its_layers_are_the_representations(classifier, network, layer, shape):
    images = torch.rand(2, 3, *classifier.outline.input_size)
    seen = classifier(images, [layer, "scores", "cells"])
    torch.testing.assert_close(seen[layer], network(images))
    assert seen["scores"].shape == (2, 0)
    known = {known.name: known for known in classifier.outline.layers}
    assert (known[layer].shape, known[layer].axis) == (shape, 1)
    assert list(known) == ["levels", "gradient", "gate", "cells", layer]
    assert known["cells"].shape == tuple(seen["cells"].shape[1:])


@pytest.mark.parametrize(
    "classifier",
    [
        HOGClassifier(input_size=(96, 90), bilinear=True),
        HOGClassifier(input_size=61, cell_size=5),
        DSIFTClassifier(input_size=96),
        DSIFTClassifier(input_size=(70, 61), cell_size=5, step=7),
    ],
)
def test_a_position_sees_what_has_a_derivative(classifier):
    torch.manual_seed(0)
    images = torch.rand(1, 3, *classifier.outline.input_size, requires_grad=True)
    for layer in classifier.outline.layers:
        place = tuple(side // 2 for side in layer.shape[1:])
        seen = classifier(images, [layer.name])[layer.name]
        (gradient,) = torch.autograd.grad(seen[(..., *place)].sum(), images)
        rows, columns = (gradient.abs().sum((0, 1, axis)).nonzero().flatten().tolist() for axis in (3, 2))
        box = box_of(place, classifier.receptive_area(layer.name), classifier.outline.input_size)
        assert box == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), layer.name


def test_settings_are_its_weights():
    first, same, other = HOGClassifier(), HOGClassifier(), HOGClassifier(cell_size=4)
    assert first.weights_sha256 == same.weights_sha256 != other.weights_sha256
    assert not list(first.parameters())


def test_it_has_no_classes():
    outline = HOGClassifier.sketch()
    for target in ("class:3", "class:cat"):
        with pytest.raises(UserError, match="has no classes; name a layer, a filter or a neuron"):
            parse_target(target, outline.labels, outline.layers)
    with pytest.raises(UserError, match="no layer is called 'scores'"):
        parse_target("layer:scores", outline.labels, outline.layers)


def test_a_verdict_on_it_has_no_classes():
    classifier = HOGClassifier(input_size=64, bilinear=True)
    edges = (torch.arange(64) // 8 % 2).float().expand(1, 3, 64, 64)
    target = parse_target("filter:hog:18", (), classifier.outline.layers)  # a horizontal gradient, undirected
    (verdict,) = judge_images(edges, classifier, Targets(target), failures=[None])
    assert (verdict.top_classes, verdict.units[0].of) == ((), 27)
    assert verdict.rank <= 3  # beside the two directed ones


def test_hog_draws_what_it_sees():
    assert HOGClassifier(input_size=64).drawn(torch.rand(2, 3, 50, 60)).shape == (2, 3, 128, 128)
    assert DSIFTClassifier(input_size=64).drawn(torch.rand(2, 3, 50, 60)) is None


def test_a_size_that_has_no_cell_is_one_line():
    with pytest.raises(UserError, match="20 x 20 pixels is too small"):
        DSIFTClassifier.sketch(input_size=20)
    with pytest.raises(UserError, match="must be a number of pixels"):
        HOGClassifier.sketch(input_size=0)
    with pytest.raises(UserError, match="orientations=0 must be a whole number, 3 or more"):
        HOGClassifier(orientations=0)
