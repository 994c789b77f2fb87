import torch
from torch import nn

from genviz.classifiers.plain import PlainNetwork


def test_it_is_small_and_of_3_by_3_convolutions_relus_and_pools():
    network = PlainNetwork()
    assert sum(parameter.numel() for parameter in network.parameters()) * 2 <= 4_000_000  # bytes, in half precision
    *features, readout, _, _, _ = network.children()
    assert {type(layer) for layer in features} == {nn.Conv2d, nn.ReLU, nn.MaxPool2d}
    assert {layer.kernel_size for layer in features if isinstance(layer, nn.Conv2d)} == {(3, 3)}
    assert readout.out_channels == 1000


def test_its_modules_have_the_papers_names():
    names = [name for name, _ in PlainNetwork([[4], [5, 6]], 7).named_children()]
    assert names == [
        "conv1_1", "relu1_1", "pool1", "conv2_1", "relu2_1", "conv2_2", "relu2_2", "fc8", "relu8", "pool8", "scores",
    ]  # fmt: skip


def test_folded_it_computes_the_same_and_the_trained_one_stays_as_it_was():
    torch.manual_seed(0)
    network = PlainNetwork([[4], [5, 6]], 7, batch_norm=True)
    for _ in range(3):  # statistics of its own
        network(torch.rand(8, 3, 16, 16) * 3 - 1)
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 2)
            nn.init.normal_(layer.bias)
    images = torch.rand(2, 3, 24, 24)
    plain = network.folded()
    assert network.training
    assert all(layer.training for layer in network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in plain)
    torch.testing.assert_close(plain(images), network.eval()(images))


def test_the_scores_are_the_average_of_the_rectified_maps():
    network = PlainNetwork([[4], [5]], 7).eval()
    images = torch.rand(2, 3, 16, 16)
    features = images
    for layer in list(network)[:-3]:
        features = layer(features)
    torch.testing.assert_close(network(images), features.clamp_min(0).mean((2, 3)))
