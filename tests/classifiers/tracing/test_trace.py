import torch
from odd_networks import Odd, plain
from torch import nn

from genviz.classifiers.tracing.trace import pictures_first, trace

IMAGES = torch.rand(1, 3, 8, 8)


def layers_of(network):
    return {layer.name: layer for layer in trace(network.eval(), IMAGES).layers}


def test_layers_come_in_the_order_of_their_completion_with_their_shapes():
    traced = trace(plain(), IMAGES)
    assert [layer.name for layer in traced.layers] == ["0", "1", "2", "3", "4", "5"]
    assert [layer.shape for layer in traced.layers][2:] == [(6, 8, 8), (6, 1, 1), (6,), (4,)]
    assert (traced.output.shape, traced.output_of_twice.shape) == ((1, 4), (2, 4))


def test_what_does_not_depend_on_the_picture_is_no_layer():
    network = Odd(lambda net, x: net.head(net.conv(x).mean((2, 3)) + net.place(torch.zeros(1, 2))),
                  conv=nn.Conv2d(3, 5, 1), place=nn.Linear(2, 5), head=nn.Linear(5, 2))  # fmt: skip
    assert list(layers_of(network)) == ["conv", "head"]


def test_pictures_may_be_counted_by_any_dimension_or_cut_into_windows():
    def does(net, x):
        tokens = net.first(net.conv(x).flatten(2).permute(2, 0, 1))  # (t, n, c)
        windows = net.cut(tokens.transpose(0, 1).reshape(-1, 16, 5))  # (n * 4, 16, c)
        return net.head(windows.view(len(x), 64, 5).mean(1))

    network = Odd(does, conv=nn.Conv2d(3, 5, 1), first=nn.LayerNorm(5), cut=nn.Identity(), head=nn.Linear(5, 2))
    layers = layers_of(network)
    assert (layers["first"].batch, layers["first"].shape, layers["first"].axis) == (1, (64, 5), 2)
    assert (layers["cut"].batch, layers["cut"].shape, layers["cut"].axis) == (0, (4, 16, 5), 3)
    assert pictures_first(torch.zeros(64, 2, 5), 1, 2).shape == (2, 64, 5)
    assert pictures_first(torch.zeros(8, 16, 5), 0, 2).shape == (2, 4, 16, 5)


class Hidden(torch.autograd.Function):
    """An operation that cannot be followed."""

    @staticmethod
    def forward(ctx, value):
        return value + 1


class Block(nn.Module):
    def __init__(self, inner=None):
        super().__init__()
        self.inner = inner or nn.Identity()

    def forward(self, x):
        return Hidden.apply(self.inner(x))


def test_what_cannot_be_followed_is_as_its_input_or_as_what_is_inside():
    def does(net, x):
        maps = net.same(net.conv(x).permute(0, 2, 3, 1))
        maps = net.wider(maps)
        return net.head(net.unknown(Hidden.apply(maps.unflatten(3, (2, 3)))).mean((1, 2)).flatten(1))

    network = Odd(does, conv=nn.Conv2d(3, 8, 1), same=Block(), wider=Block(nn.Linear(8, 6)), unknown=Block(),
                  head=nn.Linear(6, 2))  # fmt: skip
    layers = layers_of(network)
    assert (layers["same"].axis, layers["wider"].axis, layers["unknown"].axis) == (3, 3, None)
