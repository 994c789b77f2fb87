import cmath
import json
import math

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save, save_file

from genviz.errors import UserError
from genviz.generators import spectrum
from genviz.images.pictures import COLOUR_CORRELATION

SHIPPED = ROOT / "checkpoints" / "spectrum.safetensors"


def drawn(path, rows, columns, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path, torch.from_numpy(pixels).double().permute(2, 0, 1) / 255


def slow(middle):
    """|F| of the decorrelated colours, every frequency by itself."""
    side = middle.shape[1]
    matrix = torch.tensor(COLOUR_CORRELATION, dtype=torch.float64)
    matrix = matrix / matrix.norm(dim=0).max()
    values = torch.linalg.solve(matrix, (middle - 0.5).flatten(1)).view(3, side, side)
    found = torch.zeros(3, side, side // 2 + 1)
    for channel in range(3):
        for u in range(side):
            for v in range(side // 2 + 1):
                total = sum(
                    values[channel, y, x].item() * cmath.exp(-2j * math.pi * (u * y + v * x) / side)
                    for y in range(side)
                    for x in range(side)
                )
                found[channel, u, v] = abs(total) / side
    return found


def test_it_is_the_mean_over_the_pictures_middles_frequency_by_frequency(tmp_path):
    wide, a = drawn(tmp_path / "a.png", 8, 11, 1)
    square, b = drawn(tmp_path / "b.png", 8, 8, 2)
    found = spectrum.measure([wide, square], 8)
    wanted = (slow(a[:, :, 1:9]) + slow(b)) / 2
    torch.testing.assert_close(found.magnitude, wanted, rtol=1e-5, atol=1e-5)
    assert (found.pictures, found.left_out) == (2, 0)


def test_a_wave_is_found_where_it_is(tmp_path):
    """Red, green and blue follow C's first column, so that there is one decorrelated colour alone."""
    wave = 0.25 * torch.cos(2 * math.pi * 3 * torch.arange(64) / 64)
    colour = torch.tensor(COLOUR_CORRELATION)[:, 0] / torch.tensor(COLOUR_CORRELATION)[:, 0].norm()
    pixels = (127.5 + 255 * wave[None, None] * colour[:, None, None]).round().expand(3, 64, 64)
    Image.fromarray(pixels.permute(1, 2, 0).to(torch.uint8).numpy()).save(tmp_path / "a.png")
    magnitude = spectrum.measure([tmp_path / "a.png"], 64).magnitude
    assert magnitude[0, 0, 3].item() == pytest.approx(0.25 * 64 / 2, rel=0.01)
    magnitude[0, 0, 3] = 0
    assert magnitude[:, 0, 1:].max() < 0.5  # rounding alone
    assert magnitude[:, 1:].max() < 1e-4


def test_a_larger_picture_is_shrunk_and_a_smaller_or_damaged_one_left_out(tmp_path, capsys):
    large, _ = drawn(tmp_path / "large.png", 40, 30)
    small, _ = drawn(tmp_path / "small.png", 15, 90)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = spectrum.measure([large, small, tmp_path / "broken.png"], 16)
    assert found.magnitude.shape == (3, 16, 9)
    assert (found.pictures, found.left_out) == (1, 2)
    assert "broken.png cannot be decoded" in capsys.readouterr().err
    with pytest.raises(UserError, match="none of the 2 pictures has 16 x 16"):
        spectrum.measure([small, tmp_path / "broken.png"], 16)


@pytest.mark.parametrize("size", [0, 9, -16])
def test_a_size_is_even(size):
    with pytest.raises(UserError, match="even number, 8 or more"):
        spectrum.measure([], size)


@pytest.mark.parametrize("size", [(32, 32), (32, 48), (7, 100), (15, 9), (2, 2)])
def test_where_strength_falls_with_frequency_it_does_at_every_size(size):
    """1 / f, of which magnitude times frequency is one number, and a colour's mean of 0.3."""
    frequency = torch.hypot(torch.fft.fftfreq(32)[:, None], torch.fft.rfftfreq(32)[None])
    known = torch.stack([0.2 * (1 + channel) / frequency for channel in range(3)])
    known[:, 0, 0] = 0.3 * 32
    found = spectrum.at_size(known, size)
    wanted = torch.hypot(torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])[None])
    for channel in range(3):
        expected = 0.2 * (1 + channel) / wanted
        expected[0, 0] = 0.3 * math.sqrt(size[0] * size[1])
        torch.testing.assert_close(found[channel], expected)


def test_at_its_own_size_it_is_itself_and_between_it_is_between():
    torch.manual_seed(0)
    known = 0.5 + torch.rand(3, 16, 9)
    before = known.clone()
    torch.testing.assert_close(spectrum.at_size(known, (16, 16)), known)
    assert torch.equal(known, before)
    frequencies = spectrum._frequencies(16, 16)
    found = spectrum.at_size(known, (32, 32))
    for u, v in ((6, 4), (-6, 4), (16, 8)):  # those that both have, of three signs
        torch.testing.assert_close(found[:, u, v], known[:, u // 2, v // 2])
    halfway = (known[:, 3, 2] * frequencies[3, 2] + known[:, 3, 3] * frequencies[3, 3]) / 2
    torch.testing.assert_close(found[:, 6, 5], halfway / math.hypot(6 / 32, 5 / 32))


def test_a_file_is_read_as_it_was_written(tmp_path):
    path, _ = drawn(tmp_path / "a.png", 16, 16)
    found, file = spectrum.measure([path], 16), tmp_path / "a.safetensors"
    spectrum.write(file, found, "one")
    magnitude, digest = spectrum.read(file)
    torch.testing.assert_close(magnitude, found.magnitude, rtol=1e-3, atol=1e-3)
    assert digest == spectrum.read_digest(file)
    with safe_open(file, "pt") as opened:
        metadata = json.loads(opened.metadata()["genviz"])
    assert (metadata["of"], metadata["pictures"]) == ("one", 1)
    spectrum.write(tmp_path / "b.safetensors", found, "one")
    assert file.read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("another number", "do not match their digest"),
        ("cut", "is not a spectrum"),
        ("foreign", "its format is None"),
        ("no digest", "is not a spectrum"),
        ("another shape", r"its shape is \(3, 16, 16\)"),
        ("no JSON", "is not a spectrum"),
        ("gone", "there is no spectrum .*genviz spectrum"),
    ],
)
def test_damaged_and_foreign_files_are_one_clear_line(tmp_path, damage, says):
    path = tmp_path / "a.safetensors"
    spectrum.write(path, spectrum.Measured(torch.rand(3, 16, 9), 1, 0), "noise")
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["genviz"])
    tensors = load_file(path)
    match damage:
        case "another number":
            tensors["magnitude"][0, 0, 0] = 7
            path.write_bytes(save(tensors, {"genviz": json.dumps(metadata)}))
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "foreign":
            save_file({"x": torch.ones(1)}, path)
        case "no digest":
            metadata.pop("sha256")
            path.write_bytes(save(tensors, {"genviz": json.dumps(metadata)}))
        case "another shape":
            path.write_bytes(save({"magnitude": torch.rand(3, 16, 16)}, {"genviz": json.dumps(metadata)}))
        case "no JSON":
            path.write_bytes(save(tensors, {"genviz": "{"}))
        case "gone":
            path.unlink()
    with pytest.raises(UserError, match=says) as raised:
        spectrum.read(path)
    assert "\n" not in str(raised.value)


def test_the_one_that_comes_with_genviz_is_that_of_natural_images():
    """Strength falls about as 1 / f; in each colour the horizon and the window's edges are stronger than the slants."""
    magnitude, _ = spectrum.read(SHIPPED)
    assert magnitude.shape == (3, 256, 129)
    assert magnitude.isfinite().all()
    assert (magnitude > 0).all()
    for channel in magnitude:
        slant = channel.diagonal()[[8, 16, 32, 64]]
        falls = (slant[:-1] / slant[1:]).log2()
        assert 0.7 < falls.mean() < 1.5
        assert channel[0, 32] > channel[32, 32]
        assert channel[32, 0] > channel[32, 32]
