import pytest
import torch
import torchvision
from torch import nn

from genviz.classifiers.names import paper_names
from genviz.classifiers.outline import build
from genviz.classifiers.plain import PlainNetwork
from genviz.classifiers.tracing.receptive_field import receptive_areas, receptive_fields


def named(architecture):
    with torch.device("meta"):
        network = torchvision.models.get_model(architecture, weights=None).eval()
    names = paper_names(architecture, network)
    return {names[module]: field for module, field in receptive_fields(network).items() if module in names}


def test_vgg16_has_the_papers_receptive_fields():
    """Mahendran & Vedaldi 2016, Table 3: sizes and strides of VGG-VD-16's layers."""
    fields = named("vgg16")
    sizes = {name: (fields[name].size, fields[name].stride) for name in ("conv1_1", "relu1_2", "pool1", "conv3_3")}
    assert sizes == {"conv1_1": (3, 1), "relu1_2": (5, 1), "pool1": (6, 2), "conv3_3": (40, 4)}
    assert [fields[f"pool{n}"].stride for n in (2, 3, 4, 5)] == [4, 8, 16, 32]
    assert (fields["conv5_3"].size, fields["pool5"].size) == (196, 212)
    assert "fc6" not in fields


def test_alexnet_has_the_papers_receptive_fields():
    """Mahendran & Vedaldi 2016, Table 1: 11, 19, 51, 67, 99, 131, 163, 195 pixels."""
    fields = named("alexnet")
    names = ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")
    assert [fields[name].size for name in names] == [11, 19, 51, 67, 99, 131, 163, 195]
    assert [fields[name].stride for name in names] == [4, 8, 8, 16, 16, 16, 16, 32]


@pytest.mark.parametrize("layer", ["features.3", "features.7", "features.12"])
def test_a_position_looks_at_the_pixels_that_it_says(layer):
    """By the gradient: of a position in the middle of a real branching network, every pixel that moves it."""
    torch.manual_seed(0)
    network = torchvision.models.squeezenet1_0(weights=None).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.uniform_(module.weight, 0.5, 1)  # so that no path dies in a ReLU
    image = torch.rand(1, 3, 255, 255, requires_grad=True)
    seen = []
    handle = network.get_submodule(layer).register_forward_hook(lambda module, given, output: seen.append(output))
    network(image)
    handle.remove()
    row = seen[0].shape[-1] // 2
    (gradient,) = torch.autograd.grad(seen[0][0, :, row, row].sum(), image)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    field = receptive_fields(network)[layer]
    centre = field.offset + field.stride * row
    assert float(rows.float().mean()) == pytest.approx(centre, abs=field.stride)  # max pooling picks within its window
    assert field.size - 2 * field.stride <= len(rows) <= field.size


def test_a_plain_networks_fields_follow_from_its_blocks():
    fields = receptive_fields(PlainNetwork([[4], [5, 6]], 7))
    assert fields["relu1_1"] == (3, 1, 0.0)
    assert fields["pool1"] == (4, 2, 0.5)
    assert fields["fc8"] == (12, 2, 0.5)
    assert "pool8" not in fields


def test_what_cannot_be_traced_has_none():
    class Branching(nn.Module):
        def forward(self, images):
            return images if images.sum() > 0 else -images

    assert receptive_fields(Branching()) == {}


@pytest.mark.parametrize(
    ("architecture", "last", "side"),
    [
        ("inception_v3", "Mixed_7c", 1311),  # as in Araujo et al. 2019
        ("googlenet", "inception5b", 379),  # torchvision's has 3 x 3 where the paper's has 5 x 5
    ],
)
def test_networks_that_normalize_again_and_pool_by_functions_have_fields(architecture, last, side):
    with torch.device("meta"):
        network = build(architecture, 1000, 299, initialize=False)
    fields = receptive_fields(network)
    assert (fields[last].size, fields[last].stride) == (side, 32)
    convolutions = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    assert not set(convolutions) - set(fields)


def test_pooling_by_a_function_is_as_by_a_module():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 4, 3), nn.LeakyReLU()

        def forward(self, images):
            maps = torch.tanh(nn.functional.max_pool2d(self.first(images), 3, stride=2, dilation=2))
            return self.last(nn.functional.avg_pool2d(maps, [2, 2], padding=1))

    modules = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, dilation=2), nn.AvgPool2d(2, padding=1), nn.ReLU())
    assert receptive_fields(Pooled())["last"] == receptive_fields(modules)["3"]


def test_each_call_of_a_module_has_its_own():
    """A ResNet's block calls one ReLU twice: behind its first convolution, and at its end."""
    fields = receptive_fields(torchvision.models.resnet18(weights=None).eval())
    assert [fields[f"layer1.0.{name}"].size for name in ("conv1", "relu", "conv2", "relu_1")] == [19, 19, 27, 27]
    assert fields["layer1.0"] == fields["layer1.0.relu_1"]


@pytest.mark.parametrize(("padding", "offset"), [("same", 0.0), ("valid", 2.0), (2, 0.0), ((1, 1), 1.0)])
def test_a_padding_may_be_a_word(padding, offset):
    network = nn.Sequential(nn.Conv2d(3, 4, 5, padding=padding), nn.ReLU())
    assert receptive_fields(network)["1"] == (5, 1, offset)


def test_rows_and_columns_each_have_their_own():
    network = nn.Sequential(
        nn.Conv2d(3, 4, (1, 7), stride=(2, 1), padding=(0, 3)),
        nn.Conv2d(4, 4, (3, 1), dilation=(2, 1), padding=(4, 0)),
        nn.AvgPool2d((1, 3), stride=(1, 2)),
    ).double()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.5, 1)
    image = torch.rand(1, 3, 40, 40, requires_grad=True, dtype=torch.double)
    output = network(image)
    for layer, (row, column) in (("2", (8, 9)), ("2", (6, 11))):
        area = receptive_areas(network)[layer]
        (gradient,) = torch.autograd.grad(output[0, :, row, column].sum(), image, retain_graph=True)
        seen = gradient.abs().sum((0, 1))
        for field, at, moves in ((area.down, row, seen.sum(1)), (area.across, column, seen.sum(0))):
            pixels = moves.nonzero().flatten()
            assert pixels[0] == field.low + field.stride * at
            assert pixels[-1] == field.low + field.stride * at + field.size - 1
    assert receptive_fields(network)["2"][:2] == (9, 2)


def test_branches_that_lie_apart_are_seen_together():
    """One sees from two pixels before, the other from one pixel before to three after."""

    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.before, self.after = nn.Conv2d(3, 4, 3, padding=2), nn.Conv2d(3, 4, 5, padding=1)

        def forward(self, images):
            before, after = self.before(images), self.after(images)
            return torch.cat([before, nn.functional.relu(after)], 1)

    network = nn.Sequential(Apart(), nn.ReLU())
    assert receptive_fields(network)["1"] == (6, 1, 0.5)
