import pytest
import torch
from torch import nn

from genviz.errors import UserError
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoder_file import _described

SMALL = {"code_shape": (8, 3, 3), "widths": (6, 5), "kernels": (2, 3)}


def norm(channels):
    return nn.BatchNorm2d(channels, EPSILON)


def plainly(decoder):
    """The same network of torch's own layers, by the words that the files have for them."""
    made = nn.Sequential(*(eval(f"nn.{_described(layer)}") for layer in decoder)).to(next(decoder.parameters()))
    made.load_state_dict(decoder.state_dict())
    return made


def kinds_of(decoder):
    return [_described(layer).partition("(")[0] for layer in decoder]


def test_the_sides_are_the_papers():
    decoder, sides = plainly(Decoder(norm=norm)), [5]

    def note(module, args, output):
        sides.append(output.shape[-1])

    for module in decoder:
        if isinstance(module, nn.Upsample | nn.Conv2d):
            module.register_forward_hook(note)
    values = decoder(torch.ones(1, 128, 5, 5))
    assert sides == [5, 10, 9, 9, 18, 16, 16, 32, 30, 30, 60, 58, 58, 116, 113, 113, 226, 224]
    assert values.shape == (1, 3, *Decoder(norm=norm).image_size) == (1, 3, 224, 224)


@pytest.mark.parametrize("frozen", [False, True])
def test_its_images_and_gradients_are_those_of_torchs_own_layers(frozen):
    """Though it convolves before it upsamples, where that is faster."""
    torch.manual_seed(0)
    decoder = Decoder(code_shape=(4, 5, 7), widths=(6, 5, 5), kernels=(2, 3, 4), head=(4,), norm=norm, frozen=frozen)
    decoder.double().to(memory_format=torch.channels_last)
    plain, code = plainly(decoder), torch.randn(2, 4, 5, 7, dtype=torch.double, requires_grad=True)
    expected, found = plain(code), decoder(code)
    weights = torch.randn_like(expected)
    results = []
    for network, values in ((plain, expected), (decoder, found)):
        inputs = [code] if frozen else [code, *network.parameters()]
        results.append([values, *torch.autograd.grad((values * weights).sum(), inputs)])
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-11)


def test_relu_is_before_batch_norm():
    kinds = kinds_of(Decoder(rectified=True, norm=norm))
    assert kinds[:8] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d", "ZeroPad2d", "Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds[-4:] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d"]


def test_the_pretrained_head_is_two_more_convolutions_and_a_linear_end():
    decoder = Decoder(**SMALL, head=(64, 64), norm=norm)
    kinds = kinds_of(decoder)
    assert kinds[-8:-4] == ["BatchNorm2d", "ZeroPad2d", "Conv2d", "ReLU"]
    assert kinds[-4:] == ["BatchNorm2d", "ZeroPad2d", "Conv2d", "BatchNorm2d"]
    widths = [module.out_channels for module in decoder if isinstance(module, nn.Conv2d)]
    assert widths[-3:] == [64, 64, 3]


def test_same_is_one_more_on_the_right_and_bottom_where_the_kernel_is_even():
    decoder = Decoder(widths=(4, 4, 4), kernels=(2, 3, 4), code_shape=(2, 5, 5), norm=norm)
    padding = [module.padding for module in decoder if isinstance(module, nn.ZeroPad2d)]
    assert padding == [(0, 1, 0, 1), (1, 1, 1, 1), (1, 2, 1, 2)]  # left, right, top, bottom


def test_the_same_family_at_other_sizes():
    assert Decoder(widths=(256, 128, 128, 64), kernels=(2, 3, 3, 3), norm=norm).image_size == (114, 114)
    wide = Decoder(code_shape=(4, 5, 7), widths=(4,), kernels=(3,), norm=norm)
    assert wide(torch.ones(2, 4, 5, 7)).shape == (2, 3, *wide.image_size)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"widths": (4,)}, "one width and one kernel"),
        ({"code_shape": (4, 5)}, "three whole numbers"),
        ({"code_shape": (4, "a", 5)}, "three whole numbers"),
        ({"head": (0,)}, "three whole numbers"),
        ({"code_shape": (4, 1, 1), "kernels": (3, 3), "widths": (4, 4)}, "too large for a code"),
    ],
)
def test_what_is_no_decoder_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        Decoder(**{**SMALL, **settings}, norm=norm)
