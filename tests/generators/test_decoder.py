import pytest
import torch
from torch import nn

from genviz.errors import UserError
from genviz.generators.decoder import EPSILON, Decoder

SMALL = {"code_shape": (8, 3, 3), "widths": (6, 5), "kernels": (2, 3)}


def norm(channels):
    return nn.BatchNorm2d(channels, EPSILON)


def test_the_sides_are_the_papers():
    decoder, sides = Decoder(norm=norm), [5]

    def note(module, args, output):
        sides.append(output.shape[-1])

    for module in decoder:
        if isinstance(module, nn.Upsample | nn.Conv2d):
            module.register_forward_hook(note)
    values = decoder(torch.ones(1, 128, 5, 5))
    assert sides == [5, 10, 9, 9, 18, 16, 16, 32, 30, 30, 60, 58, 58, 116, 113, 113, 226, 224]
    assert values.shape == (1, 3, *decoder.image_size) == (1, 3, 224, 224)


def test_relu_is_before_batch_norm():
    kinds = [type(module).__name__ for module in Decoder(rectified=True, norm=norm)]
    assert kinds[:8] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d", "ZeroPad2d", "Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds[-4:] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d"]


def test_the_pretrained_head_is_two_more_convolutions_and_a_linear_end():
    decoder = Decoder(**SMALL, head=(64, 64), norm=norm)
    kinds = [type(module).__name__ for module in decoder]
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
        ({"code_shape": (4, 1, 1), "kernels": (3, 3), "widths": (4, 4)}, "leave nothing"),
    ],
)
def test_what_is_no_decoder_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        Decoder(**{**SMALL, **settings}, norm=norm)
