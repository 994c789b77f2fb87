from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from tiny_detectors import SIZE, build, loud

from genviz.classifiers.detector import DetectorClassifier, detectors
from genviz.classifiers.weight_files.weights import Weights
from genviz.errors import UserError
from genviz.training.loading import load_classifier

SSDLITE = "ssdlite320_mobilenet_v3_large"
BUILDER = {"builder": "tiny_detectors:build", "labels": ["background", "circle", "square", "triangle"]}


def test_torchvisions_detectors_have_an_outline_without_weights():
    assert {SSDLITE, "fasterrcnn_mobilenet_v3_large_320_fpn", "retinanet_resnet50_fpn_v2"} <= set(detectors())
    for name in ("fasterrcnn_mobilenet_v3_large_320_fpn", SSDLITE):
        outline = DetectorClassifier.sketch(architecture=name)
        assert (outline.input_size, len(outline.labels)) == ((320, 320), 91)
        assert outline.labels[:2] == ("__background__", "person")
        assert outline.layers[0].shape == (16, 160, 160)
        assert outline.head == ""
        assert bool(outline.hidden) == name.startswith("faster")


@pytest.mark.slow
@pytest.mark.parametrize("name", detectors())
def test_every_detector_of_torchvisions(name):
    assert DetectorClassifier.sketch(architecture=name).layers[-1].name == "scores"


def test_the_weights_are_torchvisions_own(monkeypatch):
    """The file that torchvision would download, loaded by it and by us, gives the same detections."""
    state = torchvision.models.get_model(SSDLITE, weights=None, weights_backbone=None).state_dict()
    generator = torch.Generator().manual_seed(0)
    state = {
        name: value + 0.05 * torch.randn(value.shape, generator=generator).abs() if value.ndim else value
        for name, value in state.items()
    }
    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", lambda *_args, **_kwargs: state)
    theirs = torchvision.models.get_model(SSDLITE, weights="COCO_V1").eval()
    monkeypatch.setattr("genviz.classifiers.weight_files.weights.fetch", lambda *_args: "cached.pth")
    monkeypatch.setattr("genviz.classifiers.weight_files.weights._load", lambda *_args: (state, None))
    monkeypatch.setattr("genviz.classifiers.weight_files.weights.sha256", lambda *_args: "0" * 64)
    own = load_classifier(SSDLITE)
    assert own.weights_source == "SSDLite320_MobileNet_V3_Large_Weights.COCO_V1"
    image = torch.rand(3, 200, 320, generator=generator)
    (found,), (wanted,) = own.detect([image]), theirs([image])
    torch.testing.assert_close(found.boxes, wanted["boxes"], rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(found.scores, wanted["scores"])


def test_the_first_weights_of_resnets_have_no_epsilon(monkeypatch):
    """As torchvision sets it: those batch norms were frozen, without one."""
    found = []
    monkeypatch.setattr("genviz.classifiers.detector.find", lambda *_args: Weights({}, "COCO_V1", "0" * 64))
    monkeypatch.setattr("genviz.classifiers.detector.fill", lambda network, *_args: found.append(network))
    DetectorClassifier(architecture="retinanet_resnet50_fpn", input_size=64)
    norms = [module.eps for module in found[0].backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 53
    assert set(norms) == {0.0}


def test_neither_do_they_as_a_file(monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr("genviz.classifiers.detector.fill", lambda network, *_args: found.append(network))
    entries = torchvision.models.get_model_weights("retinanet_resnet50_fpn")
    digits = Path(entries.COCO_V1.url).stem.rpartition("-")[2]
    (tmp_path / "own.pth").write_bytes(b"")
    for sha256 in (digits + "0" * 56, "f" * 64):
        weights = Weights({}, "own.pth", sha256)
        monkeypatch.setattr("genviz.classifiers.detector.find", lambda *_args, weights=weights: weights)
        DetectorClassifier(architecture="retinanet_resnet50_fpn", weights=str(tmp_path / "own.pth"), input_size=64)
    norms = [next(m for m in each.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)).eps for each in found]
    assert norms == [0.0, 1e-5]


def test_a_builders_detector_with_a_file_of_weights(tmp_path):
    detector = loud(build())
    save_file(detector.state_dict(), tmp_path / "mine.safetensors")
    classifier = load_classifier("detector", weights=str(tmp_path / "mine.safetensors"), **BUILDER)
    image = torch.rand(3, SIZE, SIZE)
    torch.testing.assert_close(classifier.detect([image])[0].scores[:5], detector([image])[0]["scores"][:5])
    assert (classifier.weights_source, classifier.outline.labels[1]) == ("mine.safetensors", "circle")
    assert classifier.input_space.settings["mean"] == [0.5] * 3
    other = load_classifier("detector", weights="random", arguments={"mean": 0.25}, **BUILDER)
    assert other.input_space.settings["mean"] == [0.25] * 3


def test_random_weights_are_the_same_in_every_run():
    first, second = (load_classifier("detector", weights="random", **BUILDER) for _ in range(2))
    assert first.weights_sha256 == second.weights_sha256


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "needs classifier.architecture=NAME"),
        ({"architecture": SSDLITE, **BUILDER}, "and not both"),
        ({"architecture": "ssdlite320"}, "no detector called 'ssdlite320'; nearest: ssdlite320_mobilenet_v3_large"),
        ({"architecture": 3}, "architecture=3 must be a name"),
        ({"architecture": SSDLITE, "weights": None}, "give default, a file, or random"),
        ({"architecture": SSDLITE, "boxes": 0}, "boxes=0 must be a whole number from 1"),
        ({"architecture": SSDLITE, "boxes": True}, "boxes=True must be"),
        ({"architecture": SSDLITE, "labels": ["one"]}, "has two or more"),
        ({"architecture": SSDLITE, "weights": "COCO_V9"}, "unknown for ssdlite320_mobilenet_v3_large; .* COCO_V1"),
        ({"architecture": SSDLITE, "weights": "no.pth"}, "there is no weights file no.pth"),
        ({"architecture": SSDLITE, "resize": "maybe"}, "resize=maybe must be true or false"),
        (BUILDER, "comes without weights"),
        ({**BUILDER, "weights": "no.pth"}, "there is no weights file no.pth"),
        ({**BUILDER, "weights": "random", "labels": ["a", "b"]}, "4 classes with the background, but there are 2"),
        ({**BUILDER, "weights": "random", "arguments": {"sort": "ssd"}}, "cannot be built: .*unexpected keyword"),
        ({**BUILDER, "weights": "random", "builder": "torchvision.models:alexnet"}, "returns a AlexNet; .*=module"),
    ],
)
def test_what_cannot_work_is_one_line(settings, says):
    with pytest.raises(UserError, match=says) as caught:
        DetectorClassifier(**settings)
    assert "\n" not in str(caught.value)


def test_weights_of_another_detector_do_not_fit(tmp_path):
    save_file(build("retinanet").state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="does not fit tiny_detectors:build"):
        DetectorClassifier(weights=str(tmp_path / "other.safetensors"), **BUILDER)


def test_classifier_module_names_the_setting_for_a_detector():
    with pytest.raises(UserError, match="makes a detector; use classifier=detector"):
        load_classifier("module", weights="random", **BUILDER)
