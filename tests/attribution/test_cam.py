import pytest
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import nn

from genviz.attribution.cam import cam, contributions, gradcam, guided_gradcam
from genviz.attribution.rectified import guided_backpropagation
from genviz.attribution.score import Score
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.targets.grammar import parse_target

INPUT = {"input_size": (16, 16), "mean": (0, 0, 0), "std": (1, 1, 1), "labels": ["a", "b", "c"]}


class Pooled(nn.Module):
    """A global average pooling and one linear layer; its ReLU works in place and is called twice."""

    def __init__(self, hidden=False):
        super().__init__()
        self.conv1, self.conv2, self.relu = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 6, 3), nn.ReLU(inplace=True)
        self.head = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3)) if hidden else nn.Linear(6, 3)

    def forward(self, images):
        return self.head(self.relu(self.conv2(self.relu(self.conv1(images)))).mean((2, 3)))


def made(text="class:b", **settings):
    torch.manual_seed(1)
    module = Pooled(**settings).eval()
    classifier = from_module(module, **INPUT)
    layers = {layer.name: layer for layer in classifier.outline.layers}
    return module, Score(classifier, parse_target(text, classifier.outline.labels, classifier.outline.layers)), layers


def test_cam_is_zhous():
    module, score, layers = made()
    images = torch.rand(2, 3, 16, 16)
    maps = module.conv2(module.conv1(images).relu()).relu()
    expected = torch.einsum("c,nchw->nhw", module.head.weight[1], maps) / maps[0, 0].numel()
    found = cam(score, images, layers["relu_1"])
    torch.testing.assert_close(found, F.interpolate(expected[:, None], (16, 16), mode="bilinear")[:, 0])


def test_gradcam_is_captums():
    module, score, layers = made()
    images = torch.rand(2, 3, 16, 16)
    plain = nn.Sequential(module.conv1, nn.ReLU(), module.conv2, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    plain.append(module.head)
    theirs = LayerGradCam(plain, plain[3]).attribute(images, target=1, relu_attributions=True)
    expected = F.interpolate(theirs, (16, 16), mode="bilinear")[:, 0]
    assert expected.amax() > 0
    torch.testing.assert_close(gradcam(score, images, layers["relu_1"]), expected, rtol=0, atol=1e-6)
    guided = guided_backpropagation(score, images)
    torch.testing.assert_close(guided_gradcam(score, images, layers["relu_1"]), guided * expected[:, None])


def test_a_filter_is_explained_by_a_layer_before_it():
    module, score, layers = made("filter:conv2:4")
    images = torch.rand(1, 3, 16, 16)
    maps = module.conv1(images).relu()
    weights = torch.autograd.functional.jacobian(lambda m: module.conv2(m)[0, 4].mean(), maps).mean((2, 3))
    expected = torch.einsum("nc,nchw->nhw", weights, maps).clamp_min(0)
    found = gradcam(score, images, layers["relu"])
    torch.testing.assert_close(found, F.interpolate(expected[:, None], (16, 16), mode="bilinear")[:, 0])


def test_cam_needs_one_linear_layer():
    _, score, layers = made(hidden=True)
    with pytest.raises(UserError, match="needs a global average pooling followed by one linear layer"):
        cam(score, torch.rand(2, 3, 16, 16), layers["relu_1"])


def test_a_layer_without_positions_is_one_line():
    _, score, layers = made()
    with pytest.raises(UserError, match="layer=head has no positions"):
        gradcam(score, torch.rand(1, 3, 16, 16), layers["head"]._replace(name="head"))
    with pytest.raises(UserError, match="no layer before class:b has positions"):
        gradcam(score, torch.rand(1, 3, 16, 16), None)


def test_what_channels_contribute_sums_to_a_linear_score():
    module, score, layers = made()
    images = torch.rand(2, 3, 16, 16)
    found = contributions(score, images, layers["relu_1"])
    assert found.shape == (2, 6)
    torch.testing.assert_close(found.sum(1) + module.head.bias[1], score(images))


def test_a_layer_that_is_modified_in_place_after_it():
    """conv2, whose ReLU works in place: its own outputs are weighted, not what becomes of them."""
    module, score, layers = made()
    images = torch.rand(2, 3, 16, 16)
    maps = module.conv2(module.conv1(images).relu())
    slopes = module.head.weight[1][None, :, None, None] * (maps > 0) / maps[0, 0].numel()
    assert (maps < 0).any()
    torch.testing.assert_close(contributions(score, images, layers["conv2"]), (maps * slopes).sum((2, 3)))
    weighted = (slopes.mean((2, 3), keepdim=True) * maps).sum(1).clamp_min(0)
    found = gradcam(score, images, layers["conv2"])
    torch.testing.assert_close(found, F.interpolate(weighted[:, None], (16, 16), mode="bilinear")[:, 0])
