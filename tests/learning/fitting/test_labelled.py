from itertools import chain, islice

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.learning.data import Damaged
from genviz.learning.fitting.labelled import Labelled, Pictures, Shuffled, covering, loader, updates_of


def test_each_epoch_has_every_picture_once_in_another_order():
    assert updates_of(10, 4) == 3
    batches = list(islice(Shuffled(10, 4, seed=3), 6))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    first, second = [*chain(*batches[:3])], [*chain(*batches[3:])]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert list(islice(Shuffled(10, 4, seed=4), 3)) != batches[:3]


def test_a_picture_that_would_be_alone_is_in_the_batch_before():
    """Batch norm on maps of one pixel needs two."""
    lengths = {(9, 4): [4, 5], (8, 4): [4, 4], (5, 4): [5], (4, 4): [4], (3, 4): [3], (1, 4): [1], (3, 1): [1, 1, 1]}
    for (count, batch), expected in lengths.items():
        assert updates_of(count, batch) == len(expected)
        batches = list(islice(Shuffled(count, batch, seed=3), len(expected)))
        assert [len(numbers) for numbers in batches] == expected
        assert sorted(chain(*batches)) == list(range(count))


@pytest.mark.parametrize("count", [9, 10])
def test_a_resumed_training_goes_on_where_it_was(count):
    whole = list(islice(Shuffled(count, 4, seed=3), 9))
    for first in range(9):
        assert list(islice(Shuffled(count, 4, seed=3, first=first), 9 - first)) == whole[first:]


def test_a_picture_covers_the_input():
    picture = torch.zeros(3, 20, 60, dtype=torch.uint8)
    picture[:, :, 20:40] = 200
    assert torch.equal(covering(picture, (20, 20)), picture[:, :, 20:40])
    assert (covering(picture, (10, 10))[:, :, 1:-1] == 200).all()  # beside it, what is cut off shines in
    assert covering(picture, (40, 40)).shape == (3, 40, 40)
    assert covering(torch.rand(3, 33, 7).byte(), (32, 32)).shape == (3, 32, 32)


def test_pictures_come_with_their_own_labels(tmp_path):
    """Also beside damaged ones, which are left out and recorded."""
    paths = []
    for number in range(5):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (10 * number, 0, 0)).save(path)
        paths.append(path)
    paths[2].write_bytes(b"none")
    damaged = Damaged(paths, say=False)
    pictures = Pictures(Labelled(paths, torch.arange(5)), (8, 8), memory=1 << 20, damaged=damaged)
    images, labels = pictures[[4, 2, 1]]
    assert labels.tolist() == [4, 1]
    assert images[:, 0, 0, 0].tolist() == [40, 10]
    assert len(damaged) == 1
    images, labels = pictures[[2]]
    assert (len(images), len(labels)) == (0, 0)
    assert pictures.labelled.any_decodes()
    assert not pictures.labelled.subset(torch.tensor([2])).any_decodes()
    found = [label for _, labels in loader(pictures, 2) for label in labels.tolist()]
    assert found == [0, 1, 3, 4]


def test_memory_is_bounded():
    images = np.zeros((50, 8, 8, 3), np.uint8)
    pictures = Pictures(Labelled(images, torch.zeros(50).long()), (8, 8), memory=3 * 192, damaged=Damaged([]))
    pictures[list(range(50))]
    assert len(pictures._kept) == 3


def test_a_subset_keeps_pairs():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1).repeat(3, -1)
    part = Labelled(images, torch.tensor([5, 6, 7, 8])).subset(torch.tensor([3, 1]))
    assert part.pictures[:, 0, 0, 0].tolist() == [3, 1]
    assert part.labels.tolist() == [8, 6]
