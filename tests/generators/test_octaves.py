import numpy as np
import pytest
import torch
from PIL import Image

from genviz.errors import UserError
from genviz.generators.octaves import Octaves
from genviz.generators.pixels import Pixels
from genviz.images.pictures import MEAN_COLOUR, resize
from genviz.images.randomness import Streams
from genviz.optimizers.normalized_ascent import NormalizedAscent

MEAN = torch.tensor(MEAN_COLOUR).view(3, 1, 1)


def sizes(generator):
    return [octave.size for octave in generator.octaves]


@pytest.mark.parametrize(
    ("size", "settings", "wanted"),
    [((112, 90), {}, [(41, 33), (57, 46), (80, 64), (112, 90)]),
     ((112, 80), {}, [(57, 41), (80, 57), (112, 80)]),  # 80 / 1.4^3 is 29
     ((100, 64), {"octaves": 3, "scale": 2}, [(50, 32), (100, 64)]),
     ((100, 63), {"octaves": 3, "scale": 2}, [(50, 32), (100, 63)]),  # 31.5 is 32
     ((64, 64), {"octaves": 5000}, [(33, 33), (46, 46), (64, 64)]), ((64, 64), {"scale": 1e200}, [(64, 64)]),
     ((20, 30), {}, [(20, 30)]), ((64, 64), {"octaves": 1}, [(64, 64)])],
)  # fmt: skip
def test_each_octave_is_a_scale_larger_and_none_is_under_32_pixels(size, settings, wanted):
    generator = Octaves(size=size, **settings)
    assert sizes(generator) == wanted
    assert generator.image_size == size


def test_the_size_and_the_start_are_the_pictures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 70, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    generator = Octaves(start=str(tmp_path / "a.png"), octaves=2)
    assert sizes(generator) == [(34, 50), (48, 70)]
    settled = generator.eval()().images
    torch.testing.assert_close(settled[0].permute(1, 2, 0), torch.from_numpy(pixels) / 255, rtol=0, atol=1e-5)
    assert Octaves(start=str(tmp_path / "a.png"), size=100, octaves=2).image_size == (69, 100)


def want(images):
    """A score that wants something else at each size, and of values beyond the range."""
    rows, columns = images.shape[2:]
    waves = (torch.arange(rows)[:, None] / 7).sin() * (torch.arange(columns) / 5).cos()
    return (images * waves * torch.tensor([1.0, -2.0, 0.5]).view(3, 1, 1)).sum() + (images**2).sum() / 3


def dream(generator, updates, optimizer=None, first=0):
    optimizer = optimizer or NormalizedAscent(generator.parameters(), lr=9.0)
    shown = []
    for update in range(first, updates):
        generator.train().update = update
        optimizer.zero_grad()
        images = generator().images
        shown.append(images.detach().clone())
        (-want(images)).backward()
        optimizer.step()
    return shown, optimizer


@pytest.mark.parametrize("range_", ["clipped", "open"])
def test_it_is_deepdreams_loop(range_):
    """deepdream() and make_step() of Mordvintsev et al. 2015: octave_base + detail, in 0-255 minus the mean colour."""
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 70, 65)
    generator = Octaves(start=picture, octaves=3, scale=1.4, steps=3, range=range_)
    assert len(generator.octaves) == 3
    shown, _ = dream(generator, 3 * 3 + 2)
    octaves = [resize(picture, size) for size in ((36, 33), (50, 46), (70, 65))]
    detail, number = torch.zeros_like(octaves[0]), 0
    for octave, base in enumerate(octaves):
        if octave > 0:
            detail = resize(detail, tuple(base.shape[2:]))  # nd.zoom
        source = 255 * (base + detail) - MEAN
        for _ in range(5 if octave == 2 else 3):
            if range_ == "clipped":
                source = torch.minimum(torch.maximum(source, -MEAN), 255 - MEAN)
            torch.testing.assert_close(shown[number], (source + MEAN) / 255, rtol=0, atol=1e-4)
            number += 1
            source.requires_grad_()
            (g,) = torch.autograd.grad(want((source + MEAN) / 255), source)
            source = (source + 9.0 / g.abs().mean() * g).detach()
        if range_ == "clipped":
            source = torch.minimum(torch.maximum(source, -MEAN), 255 - MEAN)
        detail = (source + MEAN) / 255 - base
    torch.testing.assert_close(generator.eval()().images, base + detail, rtol=0, atol=1e-4)


def test_the_settled_picture_is_of_full_size_with_what_was_gained_so_far():
    torch.manual_seed(0)
    picture = torch.rand(1, 3, 70, 65)
    generator = Octaves(start=picture, octaves=3, steps=3)
    for updates in (2, 3, 5, 9):
        dream(generator, updates, first=max(0, updates - 3))
        settled = generator.eval()()
        place = min((updates - 1) // 3, 2)
        assert settled.images.shape == (1, 3, 70, 65)
        octave = generator.octaves[place]
        values = octave.values.detach().clamp(-MEAN, 255 - MEAN)
        gained = (values + MEAN) / 255 - resize(picture, octave.size)
        wanted = (picture + resize(gained, (70, 65))).clamp(0, 1)
        torch.testing.assert_close(settled.images, wanted, rtol=0, atol=1e-5)
        assert not settled.images.requires_grad
        assert (wanted - picture).abs().max() > 0.01


def test_only_the_octave_at_hand_is_trained():
    generator = Octaves(start=torch.rand(1, 3, 70, 65), octaves=3, steps=3, range="open")
    for update in range(12):
        before = [octave.values.detach().clone() for octave in generator.octaves]
        place = min(update // 3, 2)
        dream(generator, update + 1, first=update)
        moved = [not torch.equal(was, octave.values) for was, octave in zip(before, generator.octaves, strict=True)]
        assert moved == [number == place for number in range(3)]


@pytest.mark.parametrize("stop", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("make", [lambda p: NormalizedAscent(p, lr=9.0), lambda p: torch.optim.Adam(p, lr=3.0)])
def test_resumed_in_an_octave_or_between_two_it_ends_in_the_same_bits(stop, make):
    picture = torch.rand(1, 3, 70, 65, generator=torch.Generator().manual_seed(0))

    def begin():
        generator = Octaves(start=picture, octaves=3, steps=3)
        return generator, make(generator.parameters())

    straight, optimizer = begin()
    dream(straight, 9, optimizer)
    first, optimizer = begin()
    dream(first, stop, optimizer)
    second, other = begin()
    second.load_state_dict(first.state_dict())
    other.load_state_dict(optimizer.state_dict())
    dream(second, 9, other, first=stop)
    for one, two in zip(straight.octaves, second.octaves, strict=True):
        assert torch.equal(one.values, two.values)


def test_of_several_images_each_begins_as_if_alone_and_draws_no_more():
    settings = {"size": (70, 65), "start": "grey", "noise": 20.0, "octaves": 3}
    streams = Streams(range(5, 8))
    together = Octaves(**settings, streams=streams)
    after = streams.normal(4)
    assert together().images.shape == (3, 3, 36, 33)
    assert together.eval()().images.shape == (3, 3, 70, 65)
    for number in range(3):
        torch.manual_seed(5 + number)
        alone = Octaves(**settings)
        drawn = torch.randn(4)
        for one, other in zip(together.octaves, alone.octaves, strict=True):
            torch.testing.assert_close(one.values[number], other.values[0], rtol=0, atol=1e-4)
        assert torch.equal(after[number], drawn)  # what a transform draws next is the same, too


def test_noise_is_that_of_the_largest_picture_shrunk():
    torch.manual_seed(3)
    generator = Octaves(size=(70, 65), start="noise", octaves=2, range="open")
    torch.manual_seed(3)
    picture = Pixels(size=(70, 65), start="noise", noise=0.0, range="open")().images
    torch.testing.assert_close(generator().images, resize(picture, (50, 46)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"octaves": 0}, "octaves=0 must be a whole"), ({"octaves": 1.5}, "whole number"),
     ({"steps": 0}, "steps=0 must be a whole"), ({"steps": True}, "whole number"),
     ({"scale": 1.0}, "be above 1"), ({"range": "sigmoid"}, "open or clipped"), ({"range": "half"}, "unknown"),
     ({"size": None}, "be rows and"), ({"start": "/nowhere.png"}, "no such file"),
     ({"start": None}, "say which picture")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Octaves(**{"size": (70, 65), **settings})
