import pytest
import torch
from streams import of

from genviz.errors import UserError
from genviz.transforms.jitter import RandomCrop


def test_a_crop_is_a_part_of_its_own_image():
    torch.manual_seed(0)
    images = torch.rand(8, 3, 9, 10)
    places = set()
    for image, crop in zip(images, of(RandomCrop(margin=3), *range(8))(images), strict=True):
        assert crop.shape == (3, 6, 7)
        found = [(y, x) for y in range(4) for x in range(4) if torch.equal(image[:, y : y + 6, x : x + 7], crop)]
        assert len(found) == 1
        places.update(found)
    assert len(places) > 3


def test_a_crop_is_cut_everywhere_as_often():
    torch.manual_seed(0)
    image, crop = torch.arange(16.0).view(1, 1, 4, 4), of(RandomCrop(margin=2), 0)
    counts = torch.zeros(3, 3)
    for _ in range(900):
        first = int(crop(image)[0, 0, 0, 0])
        counts[first // 4, first % 4] += 1
    assert (counts - 100).abs().max() < 40  # four standard deviations


@pytest.mark.parametrize("margin", [0, 1, 4, 5])
def test_from_its_update_on_the_middle_is_cut_and_nothing_is_drawn(margin):
    images, crop = torch.rand(2, 3, 12, 14), of(RandomCrop(margin=margin, until=7), 0, 1)
    first = margin // 2
    middle = images[..., first : first + 12 - margin, first : first + 14 - margin]
    cuts = []
    for update in range(12):
        crop.update = update
        before = crop.streams.state()
        cuts.append(torch.equal(crop(images), middle))
        drawn = not all(torch.equal(a, b) for a, b in zip(before, crop.streams.state(), strict=True))
        assert drawn is (update < 7)
    assert all(cuts[7:])
    assert not all(cuts[:7]) or margin == 0


def test_what_leaves_nothing_is_refused():
    with pytest.raises(UserError, match="leaves nothing"):
        RandomCrop(margin=9)(torch.rand(1, 3, 8, 8))
    with pytest.raises(UserError, match="generator=pixels"):
        RandomCrop(margin=None)
