import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from genviz.errors import UserError
from genviz.generators.convolutional import ConvolutionalGenerator
from genviz.images import IMAGENET_MEAN, IMAGENET_STD

SMALL = {"code_shape": (8, 3, 3), "widths": (6, 5), "kernels": (2, 3)}


def trainable(generator):
    return sum(parameter.numel() for parameter in generator.parameters() if parameter.requires_grad)


@pytest.fixture(scope="module")
def untrained():
    return ConvolutionalGenerator()


def test_the_untrained_generator_has_the_papers_variables(untrained):
    assert trainable(untrained) == 5_240_841  # Despraz et al. 2017, Table 1


def test_the_pretrained_generator_trains_the_gains_alone():
    assert trainable(ConvolutionalGenerator(pretrained=True, weights="random")) == 3_200  # Table 1


@pytest.mark.parametrize("output", ["standardized", "sigmoid", "decorrelated"])
def test_another_output_has_as_many_variables(output):
    assert trainable(ConvolutionalGenerator(output=output, statistics="image")) == 5_240_841


def test_the_sides_are_the_papers(untrained):
    sides = [5]

    def note(module, args, output):
        sides.append(output.shape[-1])

    kinds = (nn.Upsample, nn.Conv2d)
    handles = [module.register_forward_hook(note) for module in untrained.layers if isinstance(module, kinds)]
    images = untrained().images
    for handle in handles:
        handle.remove()
    assert sides == [5, 10, 9, 9, 18, 16, 16, 32, 30, 30, 60, 58, 58, 116, 113, 113, 226, 224]
    assert images.shape == (1, 3, *untrained.image_size) == (1, 3, 224, 224)


def test_relu_is_before_batch_norm(untrained):
    kinds = [type(module).__name__ for module in untrained.layers]
    assert kinds[:8] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d", "ZeroPad2d", "Conv2d", "ReLU", "BatchNorm2d"]
    assert kinds[-4:] == ["Upsample", "Conv2d", "ReLU", "BatchNorm2d"]


def test_the_pretrained_head_is_two_more_convolutions_and_a_linear_end():
    generator = ConvolutionalGenerator(pretrained=True, weights="random", **SMALL)
    kinds = [type(module).__name__ for module in generator.layers]
    assert kinds[-8:-4] == ["BatchNorm2d", "ZeroPad2d", "Conv2d", "ReLU"]
    assert kinds[-4:] == ["BatchNorm2d", "ZeroPad2d", "Conv2d", "BatchNorm2d"]
    widths = [module.out_channels for module in generator.layers if isinstance(module, nn.Conv2d)]
    assert widths[-3:] == [64, 64, 3]


def test_same_is_one_more_on_the_right_and_bottom_where_the_kernel_is_even():
    generator = ConvolutionalGenerator(widths=(4, 4, 4), kernels=(2, 3, 4), code_shape=(2, 5, 5))
    padding = [module.padding for module in generator.layers if isinstance(module, nn.ZeroPad2d)]
    assert padding == [(0, 1, 0, 1), (1, 1, 1, 1), (1, 2, 1, 2)]  # left, right, top, bottom


def test_equation_1_by_hand(monkeypatch):
    generator = ConvolutionalGenerator(**SMALL, sigma=2.0)
    codes = []
    generator.layers.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten()))
    monkeypatch.setattr(torch, "randn_like", lambda vector: torch.full_like(vector, 0.5))
    generator()
    torch.testing.assert_close(codes[-1], generator.gains.flatten() * (1 + 2 * 0.5))
    generator.eval()()
    torch.testing.assert_close(codes[-1], generator.gains.flatten())  # f0 = 1, no noise


def test_multiplicative_noise_and_the_relu_on_pretrained_gains(monkeypatch):
    generator = ConvolutionalGenerator(**SMALL, pretrained=True, weights="random", noise="multiplicative", sigma=0.05)
    assert (generator.gains == 1).all()
    with torch.no_grad():
        generator.gains[0, :3] = -1
    codes = []
    generator.layers.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten()))
    monkeypatch.setattr(torch, "randn_like", lambda vector: torch.full_like(vector, 2.0))
    generator()
    torch.testing.assert_close(codes[-1], torch.tensor([0.0] * 3 + [1.1] * (8 * 9 - 3)))


def test_the_noise_has_its_sigma():
    torch.manual_seed(0)
    generator = ConvolutionalGenerator(code_shape=(800, 5, 5), widths=(4,), kernels=(2,), sigma=2.0)
    noise = generator._perturbed(torch.ones(1, 20_000)) - 1
    assert noise.mean().abs() < 0.05
    assert abs(noise.std() - 2) < 0.05


def test_standardized_values_are_deviations_of_natural_images():
    generator = ConvolutionalGenerator(**SMALL)
    with torch.no_grad():
        generator.gamma.zero_()
        generator.layers[-1].bias.copy_(torch.tensor([1.0, 2.0, -3.0]))
    image = generator().images[0]
    for channel, (value, mean, std) in enumerate(zip([1, 2, -3], IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        torch.testing.assert_close(image[channel], torch.full_like(image[channel], mean + value * std))


@pytest.mark.parametrize("output", ["sigmoid", "decorrelated"])
def test_a_sigmoid_stays_in_range(output):
    images = ConvolutionalGenerator(**SMALL, output=output, contrast=100.0)().images
    assert images.min() >= 0
    assert images.max() <= 1


def test_the_settled_picture_uses_moving_averages_or_the_image_itself():
    for statistics, moves in (("moving", True), ("image", False)):
        torch.manual_seed(0)
        generator = ConvolutionalGenerator(**SMALL, statistics=statistics, momentum=0.5)
        before = generator.eval()().images
        generator.train()()
        changed = not torch.equal(before, generator.eval()().images)
        assert changed is moves


def test_gamma_and_the_gains_are_what_a_regularizer_may_charge_for():
    generator = ConvolutionalGenerator(**SMALL, contrast=2.0)
    parameters = generator().parameters
    assert parameters["gamma"].tolist() == [[2.0, 2.0, 2.0]]
    assert parameters["gains"].shape == (1, 72)
    parameters["gamma"].sum().backward()
    assert generator.layers[-1].weight.grad is not None


def test_the_same_family_at_other_sizes():
    small = ConvolutionalGenerator(widths=(256, 128, 128, 64), kernels=(2, 3, 3, 3))
    assert small().images.shape[-2:] == small.image_size == (114, 114)
    wide = ConvolutionalGenerator(code_shape=(4, 5, 7), widths=(4,), kernels=(3,))
    assert wide().images.shape[-2:] == wide.image_size


def test_a_decoder_is_loaded_from_its_file_whole(tmp_path):
    settings = {**SMALL, "pretrained": True}
    torch.manual_seed(0)
    decoder = ConvolutionalGenerator(**settings, weights="random")
    state = {name: value.contiguous() for name, value in decoder.state_dict().items()}
    save_file(state, tmp_path / "decoder.safetensors")
    torch.manual_seed(1)
    loaded = ConvolutionalGenerator(**settings, weights=str(tmp_path / "decoder.safetensors"))
    torch.testing.assert_close(loaded.eval()().images, decoder.eval()().images)
    assert trainable(loaded) == 72


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"pretrained": True}, "generator.weights=FILE"),
        ({"pretrained": True, "weights": "/nowhere.safetensors"}, "does not fit"),
        ({"widths": (4,)}, "one width and one kernel"),
        ({"code_shape": (4, 5)}, "three whole numbers"),
        ({"code_shape": (4, "a", 5)}, "three whole numbers"),
        ({"code_shape": (4, 1, 1), "kernels": (3, 3), "widths": (4, 4)}, "leave nothing"),
        ({"noise": "salt"}, "additive or multiplicative"),
        ({"output": "tanh"}, "standardized or sigmoid or decorrelated"),
        ({"statistics": "none"}, "moving or image"),
        ({"sigma": -1}, "not negative"),
    ],
)
def test_what_is_no_generator_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        ConvolutionalGenerator(**{**SMALL, **settings})
