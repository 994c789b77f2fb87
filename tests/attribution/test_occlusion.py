import torch

from genviz.attribution.occlusion import occlusion


def score(images):
    """Bright pixels of one corner."""
    return images[:, :, :4, :4].sum((1, 2, 3))


def test_what_is_covered_is_what_the_score_loses():
    images = torch.ones(1, 3, 12, 12)
    found = occlusion(score, images, size=4, stride=4, fill=0.0, at_once=3)
    expected = torch.zeros(1, 12, 12)
    expected[:, :4, :4] = 48
    torch.testing.assert_close(found, expected)
    half = occlusion(score, images, size=4, stride=4, fill=0.5)
    torch.testing.assert_close(half, expected / 2)


def test_squares_overlap_and_pictures_are_apart():
    images = torch.rand(2, 3, 12, 12)
    both = occlusion(score, images, size=4, stride=2)
    for place in range(2):
        torch.testing.assert_close(
            both[place : place + 1], occlusion(score, images[place : place + 1], size=4, stride=2)
        )
    assert both[:, 8:, 8:].abs().max() == 0
    assert (occlusion(score, torch.zeros(1, 3, 12, 12), size=4, stride=4) <= 0).all()  # brighter than the picture
    assert occlusion(score, images, size=50, stride=4).shape == (2, 12, 12)
