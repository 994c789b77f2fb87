import pytest
import torch

import genviz
from genviz.attribution.methods import METHODS, Settings, find_methods, importance
from genviz.attribution.score import Score
from genviz.errors import UserError
from genviz.targets.grammar import parse_target


def test_names_and_all():
    assert [m.name for m in find_methods(["gradcam", " saliency ", "GradCAM"])] == ["gradcam", "saliency"]
    assert next(m.name for m in find_methods(["occlusion", "all"])) == "occlusion"
    assert len(find_methods(["all"])) == len(METHODS) == 9
    with pytest.raises(UserError, match="did you mean gradcam"):
        find_methods(["gradcan"])


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
@pytest.mark.parametrize("text", ["class:zebra@0.5+tench", "filter:relu4_1:3+5@-1", "layer:relu3_1"])
def test_every_method_takes_every_target_and_cam_needs_one_linear_layer(method, text):
    classifier = genviz.load_classifier("small", input_size=64)
    outline = classifier.outline
    layers = {layer.name: layer for layer in outline.layers}
    score = Score(classifier, parse_target(text, outline.labels, outline.layers))
    pooled = layers["relu5_2" if text.startswith("class") else score.target.units[0].layer]
    settings = Settings(layers["relu2_1"], pooled, size=32, stride=32, points=2, samples=2)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    if method.name == "cam" and text.startswith("class"):  # whose heads are not one linear layer
        with pytest.raises(UserError, match="needs a global average pooling followed by one linear layer after"):
            method.attribute(score, images, settings)
        return
    maps = method.attribute(score, images, settings)
    assert maps.shape == ((2, 3, 64, 64) if method.kind == "projection" else (2, 64, 64))
    assert maps.isfinite().all()
    assert maps.abs().amax() > 0
    assert not maps.requires_grad
    assert importance(maps).shape == (2, 64, 64)
