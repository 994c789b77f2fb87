import pytest
import torch
from streams import of

from genviz.errors import UserError
from genviz.transforms.boxes import RandomBoxes
from genviz.transforms.jitter import RandomCrop
from genviz.transforms.noise import RandomNoise
from genviz.transforms.pad import Pad
from genviz.transforms.roll import RandomRoll
from genviz.transforms.views import RandomViews


@pytest.mark.parametrize("make", [lambda: RandomViews(views=3, rotate=20, scale=(0.5, 2), shift=0.3),
                                  lambda: RandomRoll(pixels=5), lambda: RandomCrop(margin=4),
                                  lambda: RandomBoxes(boxes=3, size=(5, 7), shares=(0.5, 0.1), updates=4),
                                  lambda: RandomNoise(deviation=0.1)])  # fmt: skip
def test_an_image_of_a_batch_is_changed_as_if_alone(make):
    torch.manual_seed(0)
    images, seeds = torch.rand(8, 3, 12, 12), range(3, 11)
    together, alone = of(make(), *seeds), [of(make(), seed) for seed in seeds]
    for _ in range(4):
        changed = together(images)
        each = [transform(image[None]) for transform, image in zip(alone, images, strict=True)]
        assert torch.equal(changed, torch.cat(each))
    assert len({image.sum().item() for image in changed}) == len(changed)  # each by its own numbers


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [(RandomCrop, {"margin": -1}, "whole number"), (RandomCrop, {"margin": 1.5}, "whole number"),
     (RandomCrop, {"margin": 2, "until": -1}, "until must be a whole number"),
     (RandomCrop, {"margin": 2, "until": 2.5}, "until must be a whole number"),
     (RandomRoll, {"pixels": 10**20}, "from 0 to 100000"), (Pad, {"pixels": 10**20}, "0 to 100000"),
     (RandomRoll, {"pixels": 0.5}, "whole number"), (RandomRoll, {"pixels": -2}, "whole number")],
)  # fmt: skip
def test_margins_and_shifts_are_whole_numbers(kind, settings, says):
    with pytest.raises(UserError, match=says):
        kind(**settings)


@pytest.mark.parametrize("transform", [RandomCrop(margin=3), RandomRoll(pixels=3)])
def test_the_views_of_an_image_are_moved_each_its_own_way(transform):
    torch.manual_seed(0)
    views = torch.rand(1, 3, 12, 12).expand(8, 3, 12, 12)
    moved = transform(views)
    assert len(moved) == 8
    assert len({tuple(view.flatten().tolist()) for view in moved}) > 3
