import torch

from genviz.transforms.flip import RandomFlip


def test_half_of_the_images_are_mirrored():
    torch.manual_seed(0)
    images = torch.rand(64, 3, 4, 6)
    mirrored = 0
    for image, other in zip(images, RandomFlip()(images), strict=True):
        assert torch.equal(other, image) or torch.equal(other, image.flip(2))
        mirrored += int(not torch.equal(other, image))
    assert 16 < mirrored < 48
