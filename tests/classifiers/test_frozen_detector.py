import pytest
import torch
from tiny_detectors import KINDS, SIZE, build, loud

import genviz
from genviz.classifiers.frozen_detector import FrozenDetector
from genviz.errors import UserError
from genviz.targets.probabilities import ending_of, log_probabilities, probabilities

LABELS = ("background", "circle", "square", "triangle")


@pytest.fixture(params=KINDS)
def detector(request):
    return loud(build(request.param))


def test_a_detector_of_ones_own_is_a_classifier(detector):
    classifier = genviz.from_module(detector, input_size=SIZE, labels=LABELS)
    assert isinstance(classifier, FrozenDetector)
    assert classifier.outline.labels == LABELS
    names = [layer.name for layer in classifier.outline.layers]
    assert {"backbone.0", "backbone.2", "scores"} <= set(names)
    assert not any(name.startswith("roi_heads") for name in names)
    assert ("objectness" in names) == hasattr(detector, "rpn")
    images = torch.rand(2, 3, SIZE, SIZE)
    seen = classifier(images, names)
    assert [seen[layer.name].shape[1:] for layer in classifier.outline.layers] == [
        layer.shape for layer in classifier.outline.layers
    ]
    for own, found in zip(seen["scores"].sigmoid(), classifier.detect(images), strict=True):
        assert own[1:].max().item() == pytest.approx(found.scores[found.labels > 0][0].item(), rel=1e-4)
    assert all(parameter.requires_grad for parameter in detector.parameters())  # it is a copy


def test_pictures_of_any_size_are_detected_in_their_own_pixels(detector):
    classifier = genviz.from_module(detector, input_size=SIZE)
    wide = torch.rand(3, 40, 100)
    (found,) = classifier.detect([wide])
    (theirs,) = detector([wide])
    torch.testing.assert_close(found.boxes, theirs["boxes"], rtol=1e-3, atol=1e-2)
    assert found.boxes[:, 2].max() > 64


def test_another_input_size_holds_for_scores_and_detections(detector):
    classifier = genviz.from_module(detector, input_size=(96, 80))
    images = torch.rand(1, 3, 96, 80)
    (found,) = classifier.detect(images)
    best = classifier(images, ["scores"])["scores"].sigmoid()[0, 1:].max().item()
    assert best == pytest.approx(found.scores[found.labels > 0][0].item(), rel=1e-3)


def test_each_score_stands_for_a_probability_of_its_own(detector):
    classifier = genviz.from_module(detector, input_size=SIZE)
    assert ending_of(classifier) == "log_odds"
    scores = torch.tensor([[0.0, 3.0, -40.0]])
    assert probabilities(scores, "log_odds").tolist() == scores.sigmoid().tolist()
    assert log_probabilities(scores, "log_odds")[0, 2] == pytest.approx(-40)


def test_as_many_labels_as_classes(detector):
    with pytest.raises(UserError, match="4 classes with the background, but there are 2 labels"):
        genviz.from_module(detector, input_size=SIZE, labels=LABELS[:2])
    some = genviz.from_module(detector, input_size=SIZE, labels={1: "circle"})
    assert some.outline.labels == ("0", "circle", "2", "3")
    with pytest.raises(UserError, match="labels name class 4, but the network has 4 classes, 0 to 3"):
        genviz.from_module(detector, input_size=SIZE, labels={4: "circle"})


@pytest.mark.slow
def test_a_picture_is_drawn_for_a_class_and_against_one(detector):
    alone = {"generator": "pixels", "transforms": (), "regularizers": (), "accelerator": "cpu", "optimizer": "adam"}
    layer = "objectness" if hasattr(detector, "rpn") else "backbone.2"
    for target in ("class:1", "class:1@-1", "class:0", f"layer:{layer}@-1"):
        objective = "activation" if target.startswith("layer") else "log_probability"
        seen = genviz.visualize(
            detector, target, updates=5, objective=objective, settings="optimizer.lr=0.001", **alone
        )
        scores = [row["score"] for row in seen.metrics]
        assert scores[-1] > scores[0], target
    assert 0 <= seen.verdicts[0].top_classes[0].probability <= 1
