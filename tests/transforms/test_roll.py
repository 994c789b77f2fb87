import torch
from streams import of

from genviz.transforms.roll import RandomRoll


def test_a_roll_loses_nothing():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 6, 6)
    rolled = of(RandomRoll(pixels=2), *range(8))(images)
    shifts = set()
    for image, other in zip(images, rolled, strict=True):
        near = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if torch.equal(image.roll((y, x), (1, 2)), other)]
        assert len(near) == 1
        shifts.update(near)
    assert len(shifts) > 3
