import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import Permute

from genviz.classifiers.from_module import from_module
from genviz.classifiers.tracing.channels import Channels
from genviz.interfaces import SCORES

SIDE = 8


class Made(nn.Module):
    """The modules of ``parts``, in a forward pass given as a function; then class scores of the means."""

    def __init__(self, forward, **parts):
        super().__init__()
        torch.manual_seed(0)
        for name, part in parts.items():
            self.add_module(name, part)
        self.forward_of = forward

    def forward(self, images):
        return self.forward_of(self, images)


def tokens_of(maps):
    return maps.flatten(2).transpose(1, 2)


def windows_of(maps):  # (n, h, w, c) -> (n * 4, h * w / 4, c)
    n, h, w, c = maps.shape
    return maps.view(n, 2, h // 2, 2, w // 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n * 4, h * w // 4, c)


def lines(net, x):
    x = net.bn(net.conv(x.flatten(2)))
    return net.head(net.pool(net.act(x)).flatten(1))


def volumes(net, x):
    return net.head(net.norm(net.conv(x[:, :, None])).mean((2, 3, 4)))


def tokens(net, x):
    x = net.drop(tokens_of(net.conv(x)))
    return net.head(net.norm(x + net.mlp(x)).mean(1))


def sums(net, x):
    weight = torch.eye(8, requires_grad=True)
    x = net.to_last(torch.einsum("nchw, cd -> nhwd", net.conv(x), weight))
    x = net.drop(torch.einsum("nhwc,ec->newh", x, weight))
    return net.head(net.act(torch.einsum("nchw,hk->nckw", x, weight)).mean((2, 3)))


def rows(net, x):
    x, _ = net.rnn(x.transpose(1, 2).flatten(2))
    return net.head(net.act(net.norm(x))[:, -1])


def time_first(net, x):
    x, _ = net.rnn(net.conv(x).flatten(2).permute(2, 0, 1))
    return net.head(net.act(x).mean(0))


def over_channels(net, x):  # whose output is as large as its input
    x, state = net.rnn(net.conv(x).flatten(2))
    return net.head(net.act(x).mean(1) + state[-1])


def cell(net, x):
    return net.head(net.rnn(net.conv(x).mean((2, 3)))[0])


def swin(net, x):
    x = net.to_last(net.conv(x))
    x = x + net.mlp(net.norm(x))
    return net.head(net.pool(net.to_second(net.act(x))).flatten(1))


def last_by_hand(net, x):
    x = net.mlp(net.norm(net.conv(x).permute(0, 2, 3, 1)))
    return net.head(net.drop(net.act(x).movedim(-1, 1)).mean((2, 3)))


def sequence_first(net, x):
    x = net.norm(net.conv(x).flatten(2).permute(2, 0, 1))
    x = net.act(x + net.attention(x, x, x)[0])
    return net.head(x.mean(0))


def windows(net, x):
    x = windows_of(net.conv(x).permute(0, 2, 3, 1))
    x = net.act(net.mlp(x))
    return net.head(x.view(-1, 4, *x.shape[1:]).mean((1, 2)))


def heads(net, x):
    x = tokens_of(net.conv(x))
    n, t, c = x.shape
    q, k, v = net.qkv(x).reshape(n, t, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
    weights = (q @ k.transpose(-2, -1)).softmax(-1)
    return net.head(net.drop((weights @ v).transpose(1, 2).reshape(n, t, c)).mean(1))


def shuffled(net, x):
    x = net.conv(x)
    n, c, h, w = x.shape
    x = torch.cat([x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w), x], 1)
    return net.head(net.act(F.pad(x, (1, 1, 0, 1)))[:, :, ::2].mean((2, 3)))


def layer_norm_2d(net, x):
    x = net.drop(F.layer_norm(net.conv(x).permute(0, 2, 3, 1), (8,)).permute(0, 3, 1, 2))
    return net.head(net.act(x).mean((2, 3)))


def conv():
    """As many channels as rows and columns, so that no size tells which is which."""
    return nn.Conv2d(3, SIDE, 3, padding=1)


def mlp(channels=SIDE):
    return nn.Sequential(nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels))


NETWORKS = {
    "lines": (Made(lines, conv=nn.Conv1d(3, 64, 3, padding=1), bn=nn.BatchNorm1d(64), act=nn.ReLU(),
                   pool=nn.AdaptiveAvgPool1d(1), head=nn.Linear(64, 3)),
              dict.fromkeys(("conv", "bn", "act", "pool"), 1)),
    "volumes": (Made(volumes, conv=nn.Conv3d(3, 8, 3, padding=1), norm=nn.InstanceNorm3d(8), head=nn.Linear(8, 3)),
                {"conv": 1, "norm": 1}),
    "tokens": (Made(tokens, conv=conv(), drop=nn.Dropout(), norm=nn.LayerNorm(8), mlp=mlp(), head=nn.Linear(8, 3)),
               {"conv": 1, "drop": 2, "mlp.0": 2, "mlp.1": 2, "mlp": 2, "norm": 2}),
    "swin": (Made(swin, conv=conv(), to_last=Permute([0, 2, 3, 1]), norm=nn.LayerNorm(8), mlp=mlp(), act=nn.GELU(),
                  to_second=Permute([0, 3, 1, 2]), pool=nn.AdaptiveAvgPool2d(1), head=nn.Linear(8, 3)),
             {"conv": 1, "to_last": 3, "norm": 3, "mlp.1": 3, "mlp": 3, "act": 3, "to_second": 1, "pool": 1}),
    "last by hand": (Made(last_by_hand, conv=conv(), norm=nn.LayerNorm(8), mlp=mlp(), act=nn.ReLU(), drop=nn.Dropout(),
                          head=nn.Linear(8, 3)),
                     {"conv": 1, "norm": 3, "mlp": 3, "act": 3, "drop": 1}),
    "sequence first": (Made(sequence_first, conv=conv(), norm=nn.LayerNorm(8), act=nn.ReLU(),
                            attention=nn.MultiheadAttention(8, 2), head=nn.Linear(8, 3)),
                       {"conv": 1, "norm": 2, "attention": 2, "act": 2}),
    "windows": (Made(windows, conv=conv(), mlp=mlp(), act=nn.ReLU(), head=nn.Linear(8, 3)),
                {"conv": 1, "mlp.0": 3, "mlp": 3, "act": 3}),
    "heads": (Made(heads, conv=conv(), qkv=nn.Linear(8, 24), drop=nn.Dropout(), head=nn.Linear(8, 3)),
              {"conv": 1, "qkv": 2, "drop": 2}),
    "shuffled": (Made(shuffled, conv=conv(), act=nn.ReLU(), head=nn.Linear(16, 3)), {"conv": 1, "act": 1}),
    "einsum": (Made(sums, conv=conv(), to_last=nn.Identity(), drop=nn.Dropout(), act=nn.ReLU(), head=nn.Linear(8, 3)),
               {"conv": 1, "to_last": 3, "drop": 1, "act": 1}),
    "LSTM over rows": (Made(rows, rnn=nn.LSTM(24, 8, batch_first=True, bidirectional=True), norm=nn.LayerNorm(16),
                            act=nn.ReLU(), head=nn.Linear(16, 3)), {"rnn": 2, "norm": 2, "act": 2}),
    "GRU, time first": (Made(time_first, conv=conv(), rnn=nn.GRU(8, 8), act=nn.ReLU(), head=nn.Linear(8, 3)),
                        {"conv": 1, "rnn": 2, "act": 2}),
    "RNN over channels": (Made(over_channels, conv=conv(), rnn=nn.RNN(64, 64, batch_first=True),
                               act=nn.ReLU(), head=nn.Linear(64, 3)), {"conv": 1, "rnn": 2, "act": 2}),
    "LSTMCell": (Made(cell, conv=conv(), rnn=nn.LSTMCell(8, 5), head=nn.Linear(5, 3)), {"conv": 1, "rnn": 1}),
    "LayerNorm2d": (Made(layer_norm_2d, conv=conv(), drop=nn.Dropout(), act=nn.ReLU(), head=nn.Linear(8, 3)),
                    {"conv": 1, "drop": 1, "act": 1}),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_channels_are_found_wherever_they_are(kind):
    network, axes = NETWORKS[kind]
    classifier = from_module(network, input_size=SIDE)
    layers = {layer.name: layer for layer in classifier.outline.layers}
    assert {name: layers[name].axis for name in axes} == axes
    seen = classifier(torch.rand(2, 3, SIDE, SIDE), list(layers))
    for name, layer in layers.items():
        assert seen[name].shape == (2, *layer.shape), name


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_weight_of_a_channel_changes_that_channel_alone(kind):
    network, _ = NETWORKS[kind]
    images = torch.rand(2, 3, SIDE, SIDE)
    classifier = from_module(network, input_size=SIDE)
    modules = {layer.name: classifier.network.get_submodule(layer.module) for layer in classifier.outline.layers[:-1]}
    for name, module in modules.items():
        if not isinstance(getattr(module, "bias", None), torch.Tensor):
            continue
        before = classifier(images, [name])[name]
        with torch.no_grad():
            module.bias[2] += 1
        changed = (classifier(images, [name])[name] - before).abs().transpose(0, 1).flatten(1).sum(1)
        with torch.no_grad():
            module.bias[2] -= 1
        assert changed.gt(1e-4).nonzero().flatten().tolist() == [2], name


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_picture_is_seen_alike_alone_and_among_others(kind):
    classifier = from_module(NETWORKS[kind][0], input_size=SIDE)
    images, names = torch.rand(3, 3, SIDE, SIDE), [layer.name for layer in classifier.outline.layers]
    together, alone = classifier(images, names), classifier(images[1:2], names)
    for name in names:
        torch.testing.assert_close(together[name][1:2], alone[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_network_goes_on_with_what_is_put_in_place_of_a_layer(kind):
    classifier = from_module(NETWORKS[kind][0], input_size=SIDE)
    images = torch.rand(2, 3, SIDE, SIDE)
    scores = classifier(images, [SCORES])[SCORES]
    for layer in classifier.outline.layers[:-1]:
        shapes = []
        same = classifier.through(images, layer.name, lambda value, seen=shapes: (seen.append(value.shape), value)[1])
        torch.testing.assert_close(same, scores, rtol=1e-4, atol=1e-5)
        assert shapes == [(2, *layer.shape)]


def test_where_channels_mix_with_positions_they_are_unknown():
    images = torch.rand(1, 3, 4, 4)
    with Channels(images) as channels:
        maps = nn.Conv2d(3, 8, 1)(images)
        spectrum = torch.fft.rfft2(maps)
        mean = maps.mean(1)
        patches = maps.reshape(1, 8, 2, 2, 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, 4, 32)
        split = maps.view(1, 2, 4, 16)
    assert channels.of(maps) == {1}
    assert len(channels.of(spectrum)) != 1
    assert not channels.of(mean)
    assert channels.of(patches) == {2}
    assert channels.of(split) == {1, 2}
