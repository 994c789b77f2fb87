"""Several decoders at once: each image is the one that its decoder makes by itself."""

import pytest
import torch
from torch import nn

from genviz.generators.decoder import Decoder
from genviz.generators.decoders import Decoders, SharedDecoder
from genviz.generators.stacking import split

SIZES = {"code_shape": (4, 5, 5), "widths": (6, 5, 4), "kernels": (2, 3, 4)}
COUNT = 3


def one(seed, tracks=True, **more):
    torch.manual_seed(seed)
    made = Decoder(**SIZES, norm=lambda c: nn.BatchNorm2d(c, momentum=0.1, track_running_stats=tracks), **more)
    for module in made:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, 0, 0.2)
    return made.double()


def codes():
    return torch.randn(COUNT, *SIZES["code_shape"], generator=torch.Generator().manual_seed(0)).double()


def looks(network, code, *together):
    """Two looks in training, with the gradient of the last, and one at what has settled."""
    code = code.clone(memory_format=torch.channels_last).requires_grad_()
    network.train()(code, *together)
    made = network(code, *together)
    made.pow(3).sum().backward()
    return made.detach(), code.grad, network.eval()(code, *together).detach()


@pytest.mark.parametrize("tracks", [True, False])
@pytest.mark.parametrize("together", [None, True])
def test_each_image_is_its_own_decoders(together, tracks):
    ones = [one(seed, tracks) for seed in range(COUNT)]
    many = Decoders(ones).double()
    exact = {"rtol": 0, "atol": 0} if together is None else {"rtol": 1e-9, "atol": 1e-9}
    made = looks(many, codes(), together)
    grown = split({name: p.grad for name, p in many.named_parameters()}, COUNT)
    settled = split(many.state_dict(), COUNT)
    for number, single in enumerate(ones):
        alone = looks(single, codes()[number : number + 1])
        for own, other in zip(made, alone, strict=True):
            torch.testing.assert_close(own[number : number + 1], other, **exact)
        for name, parameter in single.named_parameters():
            torch.testing.assert_close(grown[number][name], parameter.grad, **exact)
        for name, value in single.state_dict().items():
            torch.testing.assert_close(settled[number][name], value, **exact)


@pytest.mark.parametrize("tracks", [True, False])
@pytest.mark.parametrize("together", [None, True])
def test_one_decoder_for_all_keeps_each_images_statistics(together, tracks):
    def frozen():
        return one(0, tracks, head=(5,), frozen=True).requires_grad_(False)

    many = SharedDecoder(frozen(), COUNT)
    exact = {"rtol": 0, "atol": 0} if together is None else {"rtol": 1e-9, "atol": 1e-9}
    made = looks(many, codes(), together)
    for number in range(COUNT):
        single = frozen()
        alone = looks(single, codes()[number : number + 1])
        for own, other in zip(made, alone, strict=True):
            torch.testing.assert_close(own[number : number + 1], other, **exact)
        for name, value in single.state_dict().items():
            found = many.state_dict()[name]
            averaged = "running" in name
            torch.testing.assert_close(found.chunk(COUNT)[number] if averaged else found, value, **exact)


def test_one_decoders_weights_are_held_once():
    single = one(0, frozen=True)
    many = SharedDecoder(single, 50)
    assert sum(p.numel() for p in many.parameters()) == sum(p.numel() for p in single.parameters())


def test_a_copy_of_the_names_holds_no_weights():
    many = Decoders([one(seed) for seed in range(COUNT)])
    assert many._one[0][1].weight.is_meta
    assert list(many.state_dict()) == list(one(0).state_dict())
    assert (many.image_size, many.code_shape) == (one(0).image_size, one(0).code_shape)
