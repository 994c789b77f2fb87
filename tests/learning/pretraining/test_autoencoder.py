import pytest
import torch
from conftest import TinyClassifier
from torch import nn

from genviz.errors import UserError
from genviz.generators.decoder import Decoder
from genviz.learning.pretraining.autoencoder import Autoencoder, Encoder, norm


def autoencoder(**settings):
    torch.manual_seed(0)
    decoder = Decoder(code_shape=(4, 3, 3), widths=(6, 5), kernels=(2, 3), head=(4,), norm=norm)
    assert decoder.image_size == (14, 14)
    defaults = {"encoder_widths": (4,), "hidden": 8, "sigma": 0.1, "optimizer": torch.optim.Adam, "updates": 10}
    return Autoencoder(decoder=decoder, **{**defaults, **settings})


def test_the_encoder_is_the_papers():
    encoder = Encoder((224, 224), (128, 5, 5))
    kinds = [type(module).__name__ for module in encoder]
    block = ["Conv2d", "ReLU", "BatchNorm", "Conv2d", "ReLU", "BatchNorm", "MaxPool2d"]
    assert kinds == [*block * 5, "Flatten", "Linear", "ReLU", "Linear"]
    widths = [module.out_channels for module in encoder if isinstance(module, nn.Conv2d)]
    assert widths == [32, 32, 64, 64, 128, 128, 256, 256, 512, 512]
    assert [module.out_features for module in encoder if isinstance(module, nn.Linear)] == [2048, 3200]


@pytest.mark.parametrize(
    ("code_shape", "widths", "kernels"), [((32, 10, 10), (4, 4, 4), (3, 3, 3)), ((8, 5, 7), (4, 4), (2, 4))]
)
def test_the_mirror_sees_where_the_decoder_draws(code_shape, widths, kernels):
    """A spot in the image moves the code most at the place from which the decoder draws that spot."""
    torch.manual_seed(0)
    decoder = Decoder(code_shape=code_shape, widths=widths, kernels=kernels, norm=norm).eval()
    encoder = Encoder(decoder.image_size, code_shape, widths=(4,) * (len(widths) + 1), hidden=None).eval()
    rows, columns = decoder.image_size
    row, column = rows // 3, 2 * columns // 3
    code = torch.randn(1, *code_shape, requires_grad=True)
    drawn = torch.autograd.grad(decoder(code)[0, :, row, column].sum(), code)[0].abs().sum((0, 1))
    image = torch.rand(1, 3, rows, columns)
    spot = image.clone()
    spot[..., row - 2 : row + 3, column - 2 : column + 3] += 1
    seen = (encoder(spot) - encoder(image)).unflatten(1, code_shape).abs().sum((0, 1))
    for dimension in (0, 1):
        places = torch.arange(drawn.shape[dimension])
        centres = [(part.sum(1 - dimension) * places).sum() / part.sum() for part in (drawn, seen)]
        assert abs(centres[0] - centres[1]) < 0.8


def test_blocks_that_leave_nothing_are_one_line():
    with pytest.raises(UserError, match="use fewer"):
        Encoder((14, 14), (4, 3, 3), widths=(4, 4))
    with pytest.raises(UserError, match="one more than decoder.widths"):
        Encoder((130, 130), (32, 10, 10), widths=(4, 4), hidden=None)


@pytest.mark.parametrize(
    "settings",
    [{"widths": ()}, {"widths": (0,)}, {"widths": (1.5,)}, {"widths": "abc"}, {"hidden": 0}, {"hidden": -3}],
)
def test_widths_that_are_none_are_one_line(settings):
    with pytest.raises(UserError, match="whole number"):
        Encoder((14, 14), (4, 3, 3), **{"widths": (4,), **settings})


def test_an_eye_needs_something_to_look_at():
    with pytest.raises(UserError, match="names no layer; the classifier has"):
        autoencoder(eye=TinyClassifier(), features=[], weight_features=1.0)


def test_a_pictures_noise_is_its_own_whatever_shares_its_batch():
    module = autoencoder()
    images = torch.zeros(4, 3, 14, 14)
    noise = module.noisy(images, range(100, 104), 7)
    assert torch.equal(noise[2:], module.noisy(images[:2], [102, 103], 7))
    assert not torch.equal(noise, module.noisy(images, range(100, 104), 8))
    assert abs(float(noise.std()) - 0.1) < 0.01
    assert not torch.equal(noise[0], noise[1])


def test_a_picture_that_is_held_out_always_has_the_same_noise():
    module = autoencoder()
    batch = torch.randint(0, 255, (4, 3, 14, 14), dtype=torch.uint8)
    noisy = module.noisy_held_out(batch)
    assert torch.equal(noisy[[2, 0]], module.noisy_held_out(batch[[2, 0]]))
    noise = noisy - batch / 255
    assert abs(float(noise.std()) - 0.1) < 0.01
    assert not torch.equal(noise[0], noise[1])


def test_it_learns_to_undo_noise():
    """On one picture, by hand: the error falls far below that of the noisy picture itself."""
    module = autoencoder(sigma=0.2, hidden=64)
    picture = torch.rand(1, 3, 2, 2).repeat_interleave(7, 2).repeat_interleave(7, 3).expand(8, -1, -1, -1)
    optimizer = torch.optim.Adam(module.parameters(), 0.01)
    for update in range(200):
        noisy = module.noisy(picture, range(update * 8, update * 8 + 8), 0)
        error = (module(noisy) - picture).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error.item() < 0.5 * 0.2**2 < float((noisy - picture).square().mean())


def test_what_the_eye_sees_counts_by_its_weight(monkeypatch):
    module = autoencoder(eye=TinyClassifier(), features=["relu1"], weight_features=0.5)
    monkeypatch.setattr(Autoencoder, "trainer", type("One", (), {"world_size": 1, "global_step": 0}))
    monkeypatch.setattr(Autoencoder, "global_step", 0)
    monkeypatch.setattr(Autoencoder, "global_rank", 0)
    batch = torch.randint(0, 255, (4, 3, 14, 14), dtype=torch.uint8)
    metrics = module.training_step(batch, 0)["metrics"]
    images = batch / 255
    module.load_state_dict(autoencoder().state_dict())
    rebuilt = module(module.noisy(images, range(4), 0))
    seen, wanted = (module.eye(x, ["relu1"])["relu1"] for x in (rebuilt, images))
    difference = (seen - wanted).square().mean() / wanted.square().mean()
    torch.testing.assert_close(metrics["features"], difference.detach())
    torch.testing.assert_close(metrics["loss"], metrics["mse"] + 0.5 * metrics["features"])
    torch.testing.assert_close(metrics["psnr"], 10 * (1 / (rebuilt - images).square().mean()).log10().detach())


def test_the_state_is_both_networks_and_nothing_else():
    module = autoencoder(eye=TinyClassifier(), features=["relu1"], weight_features=1.0)
    state = module.state_dict()
    assert {name.split(".")[0] for name in state} == {"encoder", "decoder"}
    other = autoencoder()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(state)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in state.items())
    with pytest.raises(RuntimeError, match="Missing"):
        other.load_state_dict({name: value for name, value in state.items() if "decoder" in name})
