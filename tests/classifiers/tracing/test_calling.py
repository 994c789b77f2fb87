import pytest
import torch
from odd_networks import Odd, plain
from torch import nn

from genviz.analysis.visualization import visualize
from genviz.classifiers.from_module import from_module
from genviz.errors import UserError

SPACE = {"mean": (0, 0, 0), "std": (1, 1, 1)}
IMAGES = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def only(count):
    def does(net, x):
        assert len(x) == count, f"only {count}"
        return net.net(x)

    return does


def asserting(net, x):
    assert 0 <= x.min() < x.max() <= 1
    assert not x.isnan().any()
    return net.net(x)


class Cut(torch.autograd.Function):
    """Says that it has a gradient, and has none."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return None


NETWORKS = {
    "view": lambda: Odd(lambda net, x: net.head(net.conv(x).view(len(x), -1)), conv=nn.Conv2d(3, 4, 3, padding=1),
                        head=nn.Linear(256, 4)),
    "strides": lambda: Odd(lambda net, x: net.head(torch.as_strided(net.conv(x), (len(x), 256), (256, 1))),
                           conv=nn.Conv2d(3, 4, 3, padding=1), head=nn.Linear(256, 4)),
    "keywords": lambda: Odd(lambda net, x: net.head(input=net.conv(input=x).mean((2, 3))), conv=nn.Conv2d(3, 4, 3),
                            head=nn.Linear(4, 4)),
    "one picture": lambda: Odd(only(1), net=plain()),
    "one picture, squeezed": lambda: Odd(lambda net, x: net.net(x.view(1, 3, 8, 8))[0], net=plain()),
    "one by one": lambda: Odd(lambda net, x: torch.cat([net.net(image[None]) for image in x]), net=plain()),
    "four pictures": lambda: Odd(only(4), net=plain()),
    "one score, squeezed": lambda: Odd(lambda net, x: net.net(x)[:, :1].squeeze(), net=plain()),
    "asserts": lambda: Odd(asserting, net=plain()),
    "ten pictures": lambda: Odd(only(10), net=plain()),
    "no parameters": lambda: Odd(lambda net, x: x.mean((2, 3))),
    "three dimensions": lambda: Odd(lambda net, x: net.conv(x[:, :, None]).mean((2, 3, 4)),
                                    conv=nn.Conv3d(3, 4, 3, padding=1)),
}  # fmt: skip


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_are_called_as_they_can_be(kind):
    torch.manual_seed(0)
    network = NETWORKS[kind]().eval()
    classifier = from_module(network, input_size=8, **SPACE)
    names = [layer.name for layer in classifier.outline.layers]
    seen = classifier(IMAGES, names)
    size = {"one picture": 1, "one by one": 1, "one picture, squeezed": 1, "four pictures": 4, "ten pictures": 10}.get(
        kind
    )
    assert classifier.at_once == size
    assert len(names) > 1 or kind == "no parameters"
    alone = [network(image.expand(size or 1, -1, -1, -1)) for image in IMAGES.split(1)]
    expected = torch.cat([scores.reshape(1, -1) if scores.ndim < 2 else scores[:1] for scores in alone])
    torch.testing.assert_close(seen["scores"], expected, rtol=1e-4, atol=1e-5)
    assert all(len(seen[name]) == 5 for name in names)
    images = IMAGES.clone().requires_grad_()
    classifier(images, names[:1])[names[0]].sum().backward()
    assert images.grad.abs().sum((1, 2, 3)).gt(0).all()


@pytest.mark.parametrize("kind", ["one picture", "four pictures", "no parameters", "view", "asserts"])
def test_they_can_be_visualized(kind):
    torch.manual_seed(0)
    seen = visualize(NETWORKS[kind](), "class:1", input_size=8, updates=1, images=2, generator="fourier",
                     accelerator="cpu", **SPACE)  # fmt: skip
    assert len(seen.verdicts) == 2


@pytest.mark.parametrize("clips", [True, False])
def test_colours_outside_the_range_are_clipped_only_for_networks_that_refuse_them(clips):
    classifier = from_module(Odd(asserting if clips else lambda net, x: net.net(x), net=plain()), input_size=8, **SPACE)
    images = 3 * IMAGES - 1
    expected = classifier.network.net(images.clamp(0, 1) if clips else images)
    torch.testing.assert_close(classifier(images, ["scores"])["scores"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_number_formats_become_float32(dtype):
    network = plain().to(dtype)
    classifier = from_module(network, input_size=8, **SPACE)
    assert classifier(IMAGES, ["0"])["0"].dtype == torch.float32
    torch.testing.assert_close(classifier(IMAGES, ["scores"])["scores"], network.float()(IMAGES), rtol=1e-4, atol=1e-5)


def test_one_that_insists_on_its_format_gets_it():
    network = Odd(lambda net, x: net.net(net.norm(x.bfloat16())), net=plain(), norm=nn.BatchNorm2d(3)).bfloat16().eval()
    classifier = from_module(network, input_size=8, **SPACE)
    assert classifier.calling.dtype == torch.bfloat16
    assert classifier.network.norm.running_mean.dtype == torch.bfloat16
    torch.testing.assert_close(classifier(IMAGES, ["scores"])["scores"], network(IMAGES), rtol=0.1, atol=0.1)


@pytest.mark.parametrize(
    ("does", "says"),
    [(lambda net, x: net.net(x).argmax(1), r"whole numbers, which have no gradient \(int64\)"),
     (lambda net, x: net.net(x) > 0, "whole numbers"),
     (lambda net, x: {}["key"], "cannot take 8 x 8 pixels.*input_size"),
     (lambda net, x: net.net(), "missing 1 required.*wrap it"), (lambda net, x: None, "returns a NoneType"),
     (lambda net, x: net.net(x) * float("nan"), "not finite"), (lambda net, x: net.net[:3](x), "not class scores")],
)  # fmt: skip
def test_what_is_no_classifier_is_one_line(does, says):
    with pytest.raises(UserError, match=says) as caught:
        from_module(Odd(does, net=plain()), input_size=8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("does", "target"),
    [(lambda net, x: net.net(x).detach(), "class:1"), (lambda net, x: torch.no_grad()(net.net)(x), "filter:net.0:1"),
     (lambda net, x: torch.inference_mode()(net.net)(x), "class:1"),
     (lambda net, x: (100 * net.net(x)).round(), "class:1"),
     (lambda net, x: (5 * net.net(x)).floor(), "class:0"), (lambda net, x: net.net(x).sign(), "class:1@-1"),
     (lambda net, x: net.net(x.sign()), "filter:net.0:1"), (lambda net, x: net.net(x) * 0 + 1, "layer:scores"),
     (lambda net, x: Cut.apply(net.net(x)), "class:1")],
)  # fmt: skip
@pytest.mark.parametrize("experiment", [None, "natural_views"])  # which has an objective with a gradient of its own
def test_without_a_gradient_there_is_one_line_instead_of_a_picture(does, target, experiment):
    how = {"experiment": experiment, "input_size": 8, "updates": 2, "accelerator": "cpu"}
    with pytest.raises(UserError, match="no gradient reaches the picture from (scores|net.0): the network"):
        visualize(Odd(does, net=plain()), target, **how, **SPACE)


def test_a_layer_before_the_end_of_the_gradient_can_be_visualized():
    network = Odd(lambda net, x: net.net(x).detach(), net=plain())
    seen = visualize(network, "filter:net.2:1", input_size=8, updates=1, accelerator="cpu", **SPACE)
    assert len(seen.metrics) == 1


class Keyword(nn.Module):
    """Its pictures are named, as those of transformers' networks can be."""

    def __init__(self):
        super().__init__()
        self.net = plain()

    def forward(self, *, labels=None, pixel_values, **others):
        return self.net(pixel_values)


def test_a_network_that_takes_pictures_only_by_keyword_is_called_so():
    network = Keyword()
    classifier = from_module(network, input_size=8, **SPACE)
    torch.testing.assert_close(classifier(IMAGES, ["scores"])["scores"], network(pixel_values=IMAGES))
    assert "forward" not in vars(network)
    seen = visualize(network, "filter:net.0:1", input_size=8, updates=1, accelerator="cpu", **SPACE)
    assert len(seen.metrics) == 1
