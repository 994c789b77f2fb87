import math
from pathlib import Path

import pytest
import torch
from torch.func import functional_call

from genviz.errors import UserError
from genviz.generators import spectrum
from genviz.generators.maco import Maco
from genviz.images.pictures import COLOUR_CORRELATION
from genviz.images.randomness import Streams


@pytest.fixture
def file(tmp_path):
    """A spectrum of 8 x 8 pixels, no two of its numbers alike."""
    torch.manual_seed(5)
    measured = spectrum.Measured(0.5 + torch.rand(3, 8, 5), 1, 0)
    spectrum.write(tmp_path / "a.safetensors", measured, "noise")
    return str(tmp_path / "a.safetensors")


def matrix():
    colours = torch.tensor(COLOUR_CORRELATION, dtype=torch.float64)
    return colours / colours.norm(dim=0).max()


def decorrelated(images):
    """What went into the colours and the sigmoid."""
    return torch.einsum("cr,nrhw->nchw", matrix().inverse(), images.detach().double().logit())


def standardized(values):
    numbers = values.flatten().tolist()
    mean = sum(numbers) / len(numbers)
    deviation = math.sqrt(sum((number - mean) ** 2 for number in numbers) / len(numbers))
    return (values - mean) / (deviation + 1e-5)


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_it_is_the_slow_sum_over_frequencies(file, size):
    """Fel et al. 2023, as xplique has it: every phase's wave, one by one."""
    torch.manual_seed(0)
    generator = Maco(size=size, weights=file)
    phases = standardized(generator.phases.detach()[0].double())
    magnitude = spectrum.at_size(spectrum.read(Path(file))[0], size)
    rows, columns = size
    values = torch.zeros(3, rows, columns, dtype=torch.float64)
    for u in range(rows):
        for v in range(columns // 2 + 1):
            alone = v == 0 or 2 * v == columns  # its own mirror image; the others stand for two
            for y in range(rows):
                for x in range(columns):
                    angle = phases[:, u, v] + 2 * math.pi * (u * y / rows + v * x / columns)
                    values[:, y, x] += (1 if alone else 2) * magnitude[:, u, v] * angle.cos()
    wanted = (matrix() @ standardized(values / math.sqrt(rows * columns)).flatten(1)).view(3, rows, columns).sigmoid()
    torch.testing.assert_close(generator().images[0].double(), wanted, atol=1e-5, rtol=1e-5)


def test_the_magnitudes_stay_whatever_the_phases_are(file):
    generator = Maco(size=(24, 32), weights=file).double()
    magnitude = spectrum.at_size(spectrum.read(Path(file))[0], (24, 32)).double()
    for seed in range(3):
        torch.manual_seed(seed)
        with torch.no_grad():
            generator.phases.copy_(7 * torch.randn_like(generator.phases))
        found = torch.fft.rfft2(decorrelated(generator().images))[0].abs()[:, :, 1:16]  # those that stand for two
        ratio = found / magnitude[:, :, 1:16]
        torch.testing.assert_close(ratio, ratio[0, 0, 0].expand_as(ratio), rtol=1e-3, atol=1e-3)


def test_the_numbers_before_the_colours_have_mean_0_and_deviation_1(file):
    values = decorrelated(Maco(size=(16, 12), weights=file, streams=Streams(range(3)))().images)
    torch.testing.assert_close(values.mean((1, 2, 3)), torch.zeros(3, dtype=torch.float64), atol=1e-4, rtol=0)
    deviation = values.std((1, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(3, dtype=torch.float64), atol=1e-3, rtol=0)


def test_phases_count_in_their_own_deviations(file):
    torch.manual_seed(0)
    generator = Maco(size=(6, 8), weights=file)
    before = generator().images
    with torch.no_grad():
        generator.phases.mul_(20).add_(3)
    torch.testing.assert_close(generator().images, before, atol=1e-4, rtol=0)


def test_the_gradient_of_the_phases_is_right_and_nothing_else_is_trained(file):
    torch.manual_seed(0)
    generator = Maco(size=(4, 5), weights=file).double()
    assert [name for name, _ in generator.named_parameters()] == ["phases"]
    assert list(generator.state_dict()) == ["phases"]
    phases = generator.phases.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: functional_call(generator, {"phases": values}, ()).images, phases)


def test_a_turned_phase_moves_its_wave():
    """Nothing but one frequency: the image is that wave, and the phase says where its crest is."""
    generator = Maco(size=(8, 8))
    with torch.no_grad():
        generator.magnitude.zero_()[0, 0, 1] = 1.0
        rest = torch.linspace(-1, 1, generator.phases[0].numel()).view_as(generator.phases[0])
        generator.phases.copy_(rest[None])
    phase = standardized(generator.phases.detach()[0].double())[0, 0, 1].item()
    values = decorrelated(generator().images)[0]
    wave = [math.sqrt(6) * math.cos(phase + 2 * math.pi * x / 8) for x in range(8)]  # 3 colours share a deviation of 1
    torch.testing.assert_close(values[0, 0], torch.tensor(wave, dtype=torch.float64), atol=1e-3, rtol=0)
    assert values[1:].abs().max() < 1e-3


def test_of_several_images_each_is_as_if_alone():
    together = Maco(size=(6, 9), streams=Streams(range(3, 7)))
    images = together().images
    assert images.shape == (4, 3, 6, 9)
    assert together().parameters["phases"].shape == (4, 3 * 6 * 5)
    for number in range(4):
        torch.manual_seed(3 + number)
        alone = Maco(size=(6, 9))
        assert torch.equal(together.phases[number], alone.phases[0])
        torch.testing.assert_close(images[number], alone().images[0])


def test_it_knows_the_file_that_it_was_made_of(file):
    generator = Maco(size=(24, 40), weights=file)
    assert generator.image_size == (24, 40)
    assert generator.weights_sha256 == Maco.sha256_of(weights=file, size=(8, 8)) != Maco.sha256_of()
    assert Maco(size=(8, 8)).weights_sha256 == Maco.sha256_of()


@pytest.mark.parametrize("size", [(1, 8), 8, None, "auto", (8, 8.5)])
def test_nothing_else_is_a_size(size):
    with pytest.raises(UserError, match="must be rows and columns"):
        Maco(size=size)


@pytest.mark.parametrize(("weights", "says"), [("/nowhere.safetensors", "there is no spectrum"), (3, "must be a name")])
def test_a_missing_file_is_one_clear_line(weights, says):
    for make in (Maco, Maco.sha256_of):
        with pytest.raises(UserError, match=says):
            make(weights=weights)
