import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from genviz.classifiers.tracing.origins import convolution_of


@pytest.mark.parametrize(
    ("layer", "convolution"),
    [
        ("features.0", "features.0"), ("features.1", "features.0"), ("features.4", "features.2"),
        ("features", "features.28"), ("avgpool", "features.28"), ("classifier.0", None), ("classifier.1", None),
    ],
)  # fmt: skip
def test_vgg16(layer, convolution):
    with torch.device("meta"):
        network = torchvision.models.vgg16(weights=None)
    assert convolution_of(network, layer) == convolution


@pytest.mark.parametrize(
    ("layer", "convolution"),
    [("Conv2d_1a_3x3", "Conv2d_1a_3x3.conv"), ("Mixed_5b.branch1x1", "Mixed_5b.branch1x1.conv"), ("Mixed_5b", None),
     ("maxpool1", "Conv2d_2b_3x3.conv")],
)  # fmt: skip
def test_inception(layer, convolution):
    network = torchvision.models.inception_v3(weights=None, init_weights=False, aux_logits=False).eval()
    assert convolution_of(network, layer) == convolution


def test_functions_and_second_calls():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.pool = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.MaxPool2d(2)

        def forward(self, x):
            x = self.pool(F.relu(self.a(x)))
            return self.pool(self.b(x).relu()) + 1

    assert convolution_of(Twice(), "pool") == "a"
    assert convolution_of(Twice(), "pool_1") == "b"
