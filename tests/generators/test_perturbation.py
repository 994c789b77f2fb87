import pytest
import torch
from noisy_pictures import noise

from genviz.errors import UserError
from genviz.generators.perturbation import Perturbation
from genviz.images.randomness import Streams


def picture(count=2, side=9):
    torch.manual_seed(0)
    return (255 * torch.rand(count, 3, side, side)).round() / 255


def moved(norm, epsilon, far=0.5, count=2):
    made = Perturbation(image=picture(count), epsilon=epsilon, norm=norm, streams=Streams(range(count)))
    with torch.no_grad():
        made.values += far * torch.randn_like(made.values)
    return made


def length(values):
    return values.double().flatten(1).norm(dim=1)


@pytest.mark.parametrize("epsilon", [0.5 / 255, 1 / 255, 0.007, 8 / 255, 0.031, 1.0])
def test_it_stays_in_the_cube_and_in_range(epsilon):
    made = moved("linf", epsilon)
    made.constrain()
    away = made.values - made.original
    assert away.abs().max() <= epsilon + 1e-7
    assert made.values.min() >= 0
    assert made.values.max() <= 1
    inside = (made.original >= epsilon) & (made.original <= 1 - epsilon)
    assert not inside.any() or (away.abs()[inside] > 0.9 * epsilon).float().mean() > 0.6


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 3.0])
def test_it_stays_in_the_ball(epsilon):
    made = moved("l2", epsilon)
    before = (made.values - made.original).detach().clone()
    made.constrain()
    away = made.values - made.original
    assert (length(away) <= epsilon * (1 + 1e-5)).all()
    scaled = before * (epsilon / length(before).view(-1, 1, 1, 1)).float()
    inside = ((made.original + scaled) > 0) & ((made.original + scaled) < 1)
    torch.testing.assert_close(away[inside], scaled[inside])


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("epsilon", [0.4 / 255, 1 / 255, 0.007, 8 / 255, 0.1, 0.77, 3.0])
def test_what_is_written_is_whole_and_no_farther_than_epsilon(norm, epsilon):
    made = moved(norm, epsilon)
    made.constrain()
    images = made.eval()().images
    levels = 255 * images.double()
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    away = (levels.round() - (255 * made.original.double()).round()) / 255
    size = away.abs().flatten(1).amax(1) if norm == "linf" else length(away)
    assert (size <= epsilon + 1e-9).all()
    if norm == "l2" or (255 * epsilon) % 1 < 1e-9:  # or the cube's own side is rounded inwards, too
        assert (images - made.values).detach().abs().max() < 1 / 255 + 1e-6
    assert made.train()().images is made.values


def test_rounding_takes_what_the_ball_leaves():
    """Of four values just below and above half a level, those that lost most are rounded up as far as they fit."""
    base = torch.full((1, 3, 2, 2), 0.5)
    base = (255 * base).round() / 255
    made = Perturbation(image=base, epsilon=1.5 / 255, norm="l2")
    with torch.no_grad():
        made.values[0, 0] += torch.tensor([[0.9, -0.8], [0.7, 0.2]]) / 255
    levels = (255 * (made.eval()().images - made.original)).round()[0, 0]
    assert levels.tolist() == [[1, -1], [0, 0]]  # a third one would make the norm 1.73


def test_each_picture_has_its_own_epsilon():
    made = Perturbation(
        image=picture(), epsilon=torch.tensor([1 / 255, 4 / 255]), start="random", streams=Streams([0, 1])
    )
    away = (made.values - made.original).abs().flatten(1).amax(1)
    assert 0.9 / 255 < away[0] <= 1 / 255 + 1e-7
    assert 3.6 / 255 < away[1] <= 4 / 255 + 1e-7


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_random_start_is_the_pictures_own(norm):
    def start(count, seeds):
        streams = Streams(seeds)
        return Perturbation(image=picture(3)[:count], epsilon=0.05, norm=norm, start="random", streams=streams).values

    together = start(3, [5, 6, 7])
    torch.testing.assert_close(start(1, [5])[0], together[0])
    assert not torch.equal(together[0] - picture(3)[0], together[1] - picture(3)[1])
    assert torch.equal(start(2, [5, 6]), together[:2])


def test_a_file_is_resized_and_rounded(tmp_path):
    noise((30, 20), 90).convert("RGB").save(tmp_path / "a.png")
    made = Perturbation(image=str(tmp_path / "a.png"), size=(8, 12))
    assert made.image_size == (8, 12)
    levels = 255 * made.original
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert torch.equal(made().images, made.original)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"image": None}, "must be a picture's file: image=FILE"), ({"image": 5}, "generator.image=5 must be a picture's"),
     ({"image": "grey"}, "must be a picture's file"),
     ({"norm": "1"}, "it takes linf or l2"), ({"start": "far"}, "it takes zero or random"),
     ({"epsilon": -1.0}, "must be 0 or more")],
)  # fmt: skip
def test_a_wrong_setting_is_one_line(settings, says):
    with pytest.raises(UserError, match=says):
        Perturbation(**{"image": picture(1), **settings})
