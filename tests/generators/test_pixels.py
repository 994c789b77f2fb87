import numpy as np
import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.generators.pixels import Pixels
from genviz.images.pictures import MEAN_COLOUR
from genviz.images.randomness import Streams


def test_the_pixels_are_the_parameters():
    torch.manual_seed(0)
    generator = Pixels(size=(4, 6), noise=0.5)
    sample = generator()
    assert sample.images.shape == (1, 3, *generator.image_size) == (1, 3, 4, 6)
    torch.testing.assert_close(sample.images, 1 / (1 + (-generator.values).exp()))
    assert [parameter.numel() for parameter in generator.parameters()] == [72]


def test_it_begins_grey():
    assert (Pixels(size=(8, 8), noise=0)().images == 0.5).all()


def test_open_pixels_are_the_papers_x():
    generator = Pixels(size=(4, 6), range="open", noise=30.0)
    mean = torch.tensor(MEAN_COLOUR).view(3, 1, 1)
    torch.testing.assert_close(generator().images, (generator.values + mean) / 255)
    assert Pixels(size=(4, 6), range="open", noise=0)().images[0, :, 0, 0].tolist() == pytest.approx(
        [number / 255 for number in MEAN_COLOUR]
    )


@pytest.mark.parametrize("range_", ["open", "sigmoid"])
def test_it_begins_with_a_picture(tmp_path, range_):
    pixels = np.random.default_rng(0).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    images = Pixels(size=None, start=str(tmp_path / "a.png"), noise=0, range=range_)().images
    assert images.shape == (1, 3, 10, 14)
    assert (images[0].permute(1, 2, 0) - torch.from_numpy(pixels) / 255).abs().max() < 0.6 / 255
    assert Pixels(size=(20, 30), start=str(tmp_path / "a.png")).image_size == (20, 30)


def test_noise_is_drawn_as_the_papers_code_draws_it():
    """Mahendran & Vedaldi 2016: U(-1, 1) over its 95 % quantile, times 80 / sqrt 3."""
    torch.manual_seed(0)
    x = Pixels(size=(64, 64), start="noise", noise=0, range="open").values.detach()
    ordered = x.flatten().sort().values
    assert ordered[round(0.95 * (len(ordered) - 1))].item() == pytest.approx(80 / 3**0.5)
    assert ordered[-1].item() == pytest.approx(80 / 3**0.5 / 0.9, rel=0.01)  # the quantile of U(-1, 1) is 0.9
    assert abs(x.mean().item()) < 1


def test_the_settled_picture_is_the_middle_of_the_canvas():
    generator = Pixels(size=(6, 6), margin=4, noise=1.0)
    whole = generator.train()().images
    assert whole.shape[2:] == (10, 10)
    assert torch.equal(generator.eval()().images, whole[..., 2:8, 2:8])
    assert generator.image_size == (6, 6)


def test_clipped_pixels_are_put_back_into_the_range_before_each_look():
    torch.manual_seed(0)
    generator = Pixels(size=(4, 6), range="clipped", noise=200.0)
    before = (generator.values.detach() + torch.tensor(MEAN_COLOUR).view(3, 1, 1)) / 255
    assert before.min() < 0
    assert before.max() > 1
    images = generator().images
    torch.testing.assert_close(images, before.clamp(0, 1))
    images.sum().backward()
    assert (generator.values.grad == 1 / 255).all()  # those at an end, too: they can come back
    torch.testing.assert_close(generator().images, images, rtol=0, atol=0)
    with torch.no_grad():
        generator.values += 1000
    assert (generator().images == 1).all()


@pytest.mark.parametrize(
    ("shape", "size", "made"),
    [((10, 14), None, (10, 14)), ((10, 14), 28, (20, 28)), ((14, 10), 7, (7, 5)), ((10, 15), 8, (5, 8)),
     ((9, 9), 5, (5, 5)), ((10, 14), (3, 4), (3, 4))],
)  # fmt: skip
def test_one_number_is_the_longer_side(shape, size, made):
    generator = Pixels(size=size, start=torch.rand(1, 3, *shape))
    assert generator.image_size == made
    assert generator().images.shape[2:] == made


@pytest.mark.parametrize("margin", [0, 3])
@pytest.mark.parametrize("range_", ["sigmoid", "open", "clipped"])
@pytest.mark.parametrize("start", ["grey", "noise", torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(0))])
def test_of_several_images_each_begins_as_if_alone(start, range_, margin):
    settings = {"size": (8, 6), "start": start, "range": range_, "margin": margin, "noise": 0.3}
    together = Pixels(**settings, streams=Streams(range(5, 9)))
    assert together().images.shape == (4, 3, 8 + margin, 6 + margin)
    for number in range(4):
        torch.manual_seed(5 + number)
        alone = Pixels(**settings)
        alone()  # which puts what is clipped into its range
        assert torch.equal(together.values[number], alone.values[0])
    assert not torch.equal(together.values[0], together.values[1])


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"size": 8}, "be rows and"), ({"size": 1, "start": torch.rand(1, 3, 8, 8)}, "be rows and"),
     ({"size": "large"}, "be rows and"), ({"size": (8.5, 8)}, "be rows and"), ({"start": 3}, "start=3 is unknown"),
     ({"size": (1, 8)}, "be rows and"), ({"size": None}, "be rows and"), ({"range": "half"}, "sigmoid, open, clipped"),
     ({"start": "/nowhere.png"}, "no such file"), ({"margin": -1}, "margin"), ({"margin": 1.5}, "margin")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Pixels(**settings)


def test_grey_pixels_have_one_parameter_for_three_colours(tmp_path):
    generator = Pixels(size=(8, 10), start="noise", noise=0.0, range="open", grey=True)
    images = generator().images
    assert (images.shape, generator.values.shape) == ((1, 3, 8, 10), (1, 1, 8, 10))
    assert (images[:, 0] == images[:, 2]).all()
    lengths = generator.values.detach().abs()
    assert 70 < lengths.quantile(0.95) < 95
    colours = torch.rand(1, 3, 8, 10)
    grey = Pixels(size=(8, 10), start=colours, noise=0.0, range="open", grey=True)().images
    torch.testing.assert_close(grey[:, 1], (colours * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1))
