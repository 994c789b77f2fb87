import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genviz.classifiers.classic import ClassicClassifier
from genviz.classifiers.classic_networks import RECIPES, ClassicNetwork, Conv, Norm, Pool, Recipe, WholeConvolution
from genviz.classifiers.names import paper_names
from genviz.classifiers.outline import without_weights
from genviz.classifiers.tracing.receptive_field import receptive_fields

# Mahendran & Vedaldi 2016, Tables 1 to 3: name, kernel, receptive field, stride, channels; without prob, the softmax,
# which genviz leaves out.
TABLE_1 = """
conv1 11 11 4 96, relu1 1 11 4 96, norm1 1 11 4 96, pool1 3 19 8 96, conv2 5 51 8 256, relu2 1 51 8 256,
norm2 1 51 8 256, pool2 3 67 16 256, conv3 3 99 16 384, relu3 1 99 16 384, conv4 3 131 16 384, relu4 1 131 16 384,
conv5 3 163 16 256, relu5 1 163 16 256, pool5 3 195 32 256, fc6 6 355 32 4096, relu6 1 355 32 4096,
fc7 1 355 32 4096, relu7 1 355 32 4096, fc8 1 355 32 1000
"""
TABLE_2 = """
conv1 7 7 2 96, relu1 1 7 2 96, norm1 1 7 2 96, pool1 3 11 4 96, conv2 5 27 8 256, relu2 1 27 8 256,
norm2 1 27 8 256, pool2 3 43 16 256, conv3 3 75 16 512, relu3 1 75 16 512, conv4 3 107 16 512, relu4 1 107 16 512,
conv5 3 139 16 512, relu5 1 139 16 512, pool5 3 171 32 512, fc6 6 331 32 4096, relu6 1 331 32 4096,
fc7 1 331 32 4096, relu7 1 331 32 4096, fc8 1 331 32 1000
"""
TABLE_3 = """
conv1_1 3 3 1 64, relu1_1 1 3 1 64, conv1_2 3 5 1 64, relu1_2 1 5 1 64, pool1 2 6 2 64, conv2_1 3 10 2 128,
relu2_1 1 10 2 128, conv2_2 3 14 2 128, relu2_2 1 14 2 128, pool2 2 16 4 128, conv3_1 3 24 4 256, relu3_1 1 24 4 256,
conv3_2 3 32 4 256, relu3_2 1 32 4 256, conv3_3 3 40 4 256, relu3_3 1 40 4 256, pool3 2 44 8 256, conv4_1 3 60 8 512,
relu4_1 1 60 8 512, conv4_2 3 76 8 512, relu4_2 1 76 8 512, conv4_3 3 92 8 512, relu4_3 1 92 8 512, pool4 2 100 16 512,
conv5_1 3 132 16 512, relu5_1 1 132 16 512, conv5_2 3 164 16 512, relu5_2 1 164 16 512, conv5_3 3 196 16 512,
relu5_3 1 196 16 512, pool5 2 212 32 512
"""  # what follows is dense in torchvision's, over 7 x 7 positions of stride 32: 212 + 6 x 32 = 404


def _table(text):
    rows = [row.split() for row in text.replace("\n", " ").split(",")]
    return [(name, *map(int, numbers)) for name, *numbers in rows]


def _side(module):
    side = getattr(module, "kernel_size", 1)
    return side if isinstance(side, int) else side[0]


@pytest.mark.parametrize(("name", "table"), [("alexnet_caffe", TABLE_1), ("vgg_m", TABLE_2)])
def test_every_layer_is_that_of_the_papers_table(name, table):
    outline = ClassicClassifier.sketch(architecture=name)
    with torch.device("meta"):
        network = ClassicNetwork(RECIPES[name])
    fields = receptive_fields(network)
    found = [
        (layer.name, _side(module), fields[layer.name].size, fields[layer.name].stride, layer.shape[0])
        for layer, module in zip(outline.layers, network, strict=True)
        if layer.name != "scores"
    ]
    assert found == _table(table)


def test_vgg16s_layers_are_those_of_table_3():
    network = without_weights("vgg16", 1000, 224)
    fields, modules = receptive_fields(network), dict(network.named_modules())
    names = paper_names("vgg16", network)
    channels, found = 3, []
    for module, name in names.items():
        if module.startswith("features."):
            channels = getattr(modules[module], "out_channels", channels)
            found.append((name, _side(modules[module]), fields[module].size, fields[module].stride, channels))
    assert found == _table(TABLE_3)


SIDES = {
    "alexnet_caffe": "55 27 27 13 13 13 13 6",
    "caffenet": "55 27 27 13 13 13 13 6",
    "vgg_f": "54 27 27 13 13 13 13 6",
    "vgg_m": "109 54 26 13 13 13 13 6",
    "vgg_s": "109 37 33 17 17 17 17 6",
}
"""Of conv1, pool1, conv2, pool2, conv3, conv4, conv5, pool5 (Krizhevsky et al. 2012, Chatfield et al. 2014)."""


@pytest.mark.parametrize("name", RECIPES)
def test_sizes_end_at_the_six_positions_of_fc6(name):
    outline = ClassicClassifier.sketch(architecture=name)
    sides = {layer.name: layer.shape[1] for layer in outline.layers if len(layer.shape) == 3}
    found = [sides[f"{kind}{n}"] for n in (1, 2, 3, 4, 5) for kind in ("conv", "pool") if f"{kind}{n}" in sides]
    assert found == [int(side) for side in SIDES[name].split()]
    assert sides["fc6"] == sides["fc8"] == 1
    assert outline.layers[-1].shape == (1000,)


def test_caffenet_pools_before_it_normalizes():
    orders = [
        [name for name, _ in ClassicNetwork(_small(name)).named_children()][:8]
        for name in ("alexnet_caffe", "caffenet")
    ]
    assert orders[0] == ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"]
    assert orders[1] == ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]


def _small(name):
    layers = [layer._replace(channels=4) if isinstance(layer, Conv) else layer for layer in RECIPES[name].layers]
    return RECIPES[name]._replace(layers=tuple(layers))


CHANNELS = (1.0, -2.0, 3.0, 0.5, -1.5, 4.0, 2.5)
AROUND = [range(0, 3), range(0, 4), range(0, 5), range(1, 6), range(2, 7), range(3, 7), range(4, 7)]
"""The channels up to two away from each of the seven."""


def _squares(k):
    return sum(CHANNELS[i] ** 2 for i in AROUND[k])


def test_normalization_is_matconvnets():
    """y_k = x_k / (kappa + alpha * sum)^beta (vl_nnnormalize)."""
    module = Norm.matconvnet(5, 2.0, 1e-1, 0.75).module
    found = module(torch.tensor(CHANNELS).view(1, 7, 1, 1)).flatten()
    by_hand = [x / (2.0 + 0.1 * _squares(k)) ** 0.75 for k, x in enumerate(CHANNELS)]
    assert found.tolist() == pytest.approx(by_hand, rel=1e-6)
    assert by_hand[0] == pytest.approx(1 / (2 + 0.1 * 14) ** 0.75)


def test_normalization_is_caffes():
    """y_k = x_k / (k + alpha / n * sum)^beta (lrn_param)."""
    module = Norm(5, 1e-1, 0.75, 1.0).module
    found = module(torch.tensor(CHANNELS).view(1, 7, 1, 1)).flatten()
    by_hand = [x / (1.0 + 0.1 / 5 * _squares(k)) ** 0.75 for k, x in enumerate(CHANNELS)]
    assert found.tolist() == pytest.approx(by_hand, rel=1e-6)


def test_the_two_rules_for_alpha_agree_in_chatfields_networks():
    """0.0005 in the prototxt, 1e-4 in the .mat file."""
    assert RECIPES["vgg_m"].norm == pytest.approx(Norm.matconvnet(5, 2.0, 1e-4, 0.75))


SOME_SIDES = range(16, 40)


@pytest.mark.parametrize(
    ("name", "pool", "pad"),
    [
        ("vgg_f", "pool1", 1),
        ("vgg_m", "pool1", 0),
        ("vgg_m", "pool2", 1),
        ("vgg_m", "pool5", 0),
        ("vgg_s", "pool1", 2),
        ("vgg_s", "pool2", 1),
    ],
)
def test_pooling_is_matconvnets_of_pictures_of_any_size(name, pool, pad):
    """vl_nnpool's pad [0 pad 0 pad]: on the right and below, with what no maximum is."""
    module = dict(ClassicNetwork(_small(name)).named_children())[pool]
    for side in SOME_SIDES:
        maps = torch.rand(1, 2, side, side)
        padded = F.pad(maps, (0, pad, 0, pad), value=-torch.inf)
        assert torch.equal(module(maps), F.max_pool2d(padded, module.kernel_size, module.stride)), side


def test_pooling_is_caffes_in_its_networks():
    """Rounded up, without windows that begin outside (pooling_layer.cpp); each is cut at the border."""
    module = dict(ClassicNetwork(_small("caffenet")).named_children())["pool2"]
    for side in SOME_SIDES:
        maps = torch.rand(side, side)
        count = -(-(side - 3) // 2) + 1
        starts = [2 * i for i in range(count) if 2 * i < side]
        by_hand = [[maps[i : i + 3, j : j + 3].max().item() for j in starts] for i in starts]
        assert module(maps[None, None])[0, 0].tolist() == by_hand, side


def test_the_streams_of_alexnet_do_not_see_each_other():
    torch.manual_seed(0)
    conv2 = dict(ClassicNetwork(_small("alexnet_caffe")).named_children())["conv2"]
    maps = torch.rand(1, 4, 9, 9)
    other = torch.cat([maps[:, :2], torch.rand(1, 2, 9, 9)], dim=1)
    one, two = conv2(maps), conv2(other)
    assert torch.equal(one[:, :2], two[:, :2])
    assert not torch.isclose(one[:, 2:], two[:, 2:]).any()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_a_convolution_over_its_whole_input_is_one(order):
    torch.manual_seed(0)
    whole = WholeConvolution(4, 5, 3).to(memory_format=order)
    plain = nn.Conv2d(4, 5, 3)
    plain.load_state_dict(whole.state_dict())
    for side in (3, 6):
        maps = torch.rand(2, 4, side, side).to(memory_format=order).requires_grad_()
        torch.testing.assert_close(whole(maps), plain(maps))
        gradients = [torch.autograd.grad(module(maps).square().sum(), maps)[0] for module in (whole, plain)]
        torch.testing.assert_close(*gradients)


def test_larger_pictures_have_the_mean_of_their_scores():
    recipe = Recipe(
        8, Norm(5, 1e-4, 0.75, 1.0), (Conv("conv1", 4, 3), "norm1", Pool("pool1", 2, 2, ceil=True), Conv("fc6", 5, 3))
    )
    network = ClassicNetwork(recipe, classes=7)
    torch.manual_seed(0)
    images = torch.rand(2, 3, 14, 12)
    whole = nn.Sequential(*list(network.children())[:-1])(images)
    assert whole.shape == (2, 7, 4, 3)
    torch.testing.assert_close(network(images), whole.flatten(2).mean(2))
