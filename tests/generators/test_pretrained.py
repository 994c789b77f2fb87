import pytest
import torch
from torch import nn

from genviz.errors import UserError
from genviz.generators import decoder_file
from genviz.generators.decoder import EPSILON, Decoder
from genviz.generators.decoder_file import Sizes
from genviz.generators.pretrained import Pretrained

SMALL = Sizes(code_shape=(8, 3, 3), widths=(6, 5), kernels=(2, 3), head=(4,))


def norm(channels):
    return nn.BatchNorm2d(channels, EPSILON)


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    made = Decoder(**SMALL._asdict(), norm=norm)
    made(torch.randn(8, *SMALL.code_shape))  # its moving averages move
    return made.eval()


@pytest.fixture(scope="module")
def file(decoder, tmp_path_factory):
    path = tmp_path_factory.mktemp("decoder") / "decoder.safetensors"
    mean, std = torch.arange(72) / 10, torch.arange(72) + 1.0
    decoder_file.write(decoder, SMALL, path, code_mean=mean, code_std=std, facts={"data": "noise"})
    return path


def codes_of(generator):
    codes = []
    generator.layers.register_forward_pre_hook(lambda module, args: codes.append(args[0].flatten()))
    return codes


def test_the_papers_trains_3200_numbers():
    generator = Pretrained(weights="random")
    assert sum(p.numel() for p in generator.parameters() if p.requires_grad) == 3_200  # Despraz et al. 2017, Table 1
    assert generator.image_size == (224, 224)
    assert [layer.out_channels for layer in generator.layers if isinstance(layer, nn.Conv2d)][-3:] == [64, 64, 3]


def test_a_file_says_how_large_its_decoder_is_and_what_it_learned_from(file):
    generator = Pretrained(weights=str(file))
    assert generator.layers.code_shape == (8, 3, 3)
    assert generator.weights_sha256 == decoder_file.read(file)[1]
    torch.testing.assert_close(generator.code_std, torch.arange(72)[None] + 1.0)


def test_a_file_decodes_as_what_it_was_written_from(decoder, file):
    code = torch.rand(1, *SMALL.code_shape)
    written = Pretrained(weights=str(file)).eval()
    torch.testing.assert_close(written.layers(code), decoder(code), atol=5e-3, rtol=5e-3)  # half precision


def test_multiplicative_noise_and_the_relu_on_the_gains(file, monkeypatch):
    generator = Pretrained(weights=str(file), sigma=0.05)
    assert (generator.gains == 1).all()
    with torch.no_grad():
        generator.gains[0, :3] = -1
    codes = codes_of(generator)
    monkeypatch.setattr(generator.streams, "normal", lambda *shape: torch.full((1, *shape), 2.0))
    generator()
    torch.testing.assert_close(codes[-1], torch.tensor([0.0] * 3 + [1.1] * 69))
    generator.eval()()
    torch.testing.assert_close(codes[-1], torch.tensor([0.0] * 3 + [1.0] * 69))


def test_a_standardized_code_is_in_deviations_from_the_mean_code(file, monkeypatch):
    generator = Pretrained(weights=str(file), code="standardized", sigma=0.5)
    codes = codes_of(generator)
    generator.eval()()
    torch.testing.assert_close(codes[-1], torch.arange(72) / 10)
    with torch.no_grad():
        generator.gains.fill_(2)
    monkeypatch.setattr(generator.streams, "normal", lambda *shape: torch.ones(1, *shape))
    generator.train()()
    torch.testing.assert_close(codes[-1], torch.arange(72) / 10 + 2.5 * (torch.arange(72) + 1.0))


@pytest.mark.parametrize(
    ("statistics", "alike", "moves"), [("moving", False, True), ("image", True, False), ("training", True, False)]
)
def test_what_batch_norm_uses(file, statistics, alike, moves):
    generator = Pretrained(weights=str(file), sigma=0.0, statistics=statistics, momentum=0.5)
    settled = generator.eval()().images
    trained = generator.train()().images
    assert torch.allclose(settled, trained, atol=1e-5) is alike
    assert (not torch.equal(settled, generator.eval()().images)) is moves


def test_only_the_gains_have_gradients(file):
    generator = Pretrained(weights=str(file), statistics="training")
    generator().images.sum().backward()
    assert [name for name, p in generator.named_parameters() if p.grad is not None] == ["gains"]


def test_nothing_is_kept_that_only_the_weights_would_need(file):
    """Of each convolution no input: what is kept are the rectified maps."""
    generator = Pretrained(weights=str(file), statistics="training")
    inputs, kept = [], []  # themselves, so that no address is used twice
    for layer in generator.layers:
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        generator()
    assert len(inputs) == 6
    assert not {tensor.data_ptr() for tensor in inputs} & {tensor.data_ptr() for tensor in kept}


def test_weights_of_other_sizes_than_the_file_says_are_one_clear_line(decoder, tmp_path):
    path, numbers = tmp_path / "other.safetensors", torch.ones(72)
    other = SMALL._replace(head=(5,))
    decoder_file.write(decoder, other, path, code_mean=numbers, code_std=2 * numbers, facts={})
    with pytest.raises(UserError, match="damaged: its weights do not have the sizes"):
        Pretrained(weights=str(path))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"code": "salt"}, "gains, standardized"),
        ({"statistics": "none"}, "moving, image, training"),
        ({"sigma": -1}, "0 or more"),
        ({"weights": 3}, "must be a name"),
    ],
)
def test_what_is_no_generator_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        Pretrained(**{"weights": "random", **settings})
