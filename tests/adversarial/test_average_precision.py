import pytest
import torch

from genviz.adversarial.average_precision import Truth, average_precision, mean_average_precision
from genviz.classifiers.frozen_detector import Detections

# six pictures; of each object its box and class, of each detection also its score
THERE = [
    [[38, 30, 56, 49, 1], [0, 10, 34, 39, 3], [40, 0, 61, 35, 2], [45, 43, 80, 58, 1]],
    [[34, 43, 69, 68, 2]],
    [[34, 15, 53, 46, 2], [53, 2, 65, 23, 3], [52, 34, 66, 69, 2]],
    [[30, 37, 62, 74, 2]],
    [[29, 25, 54, 41, 3], [24, 16, 56, 48, 3]],
    [[15, 25, 41, 54, 2], [55, 41, 66, 75, 3], [36, 30, 46, 67, 3], [0, 5, 32, 19, 2]],
]
FOUND = [
    [
        [1, 15, 37, 40, 2, 0.816],
        [40, 43, 75, 56, 1, 0.028],
        [40, 39, 75, 60, 1, 0.615],
        [23, 27, 62, 61, 3, 0.686],
        [57, 39, 92, 69, 3, 0.135],
    ],
    [[29, 43, 65, 55, 3, 0.358]],
    [
        [32, 18, 52, 44, 2, 0.623],
        [56, 0, 62, 26, 3, 0.336],
        [55, 36, 63, 72, 2, 0.199],
        [47, 39, 61, 70, 2, 0.672],
        [53, 11, 85, 49, 1, 0.105],
    ],
    [[30, 42, 59, 74, 2, 0.62], [59, 36, 97, 46, 2, 0.758]],
    [[29, 13, 52, 44, 3, 0.968], [28, 11, 52, 52, 3, 0.149], [31, 58, 52, 94, 2, 0.48], [49, 19, 65, 55, 3, 0.924]],
    [[5, 2, 27, 19, 2, 0.344], [4, 2, 31, 23, 2, 0.259], [16, 14, 32, 50, 1, 0.125], [13, 46, 31, 80, 2, 0.554]],
]


def _truth(rows):
    values = torch.tensor(rows, dtype=torch.float).view(-1, 5)
    return Truth(values[:, :4], values[:, 4].long())


def _found(rows):
    values = torch.tensor(rows, dtype=torch.float).view(-1, 6)
    return Detections(values[:, :4], values[:, 4].long(), values[:, 5])


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (0.5, [0.5049504950495048, 0.22970297029702968, 0.16831683168316824]),
        (0.75, [0.0, 0.0297029702970297, 0.0]),
    ],
)
def test_it_is_that_of_cocos_own_code(overlap, expected):
    """pycocotools 2.0.11's COCOeval on the same boxes."""
    each = average_precision(list(map(_found, FOUND)), list(map(_truth, THERE)), overlap=overlap)
    assert list(each) == [1, 2, 3]
    assert list(each.values()) == pytest.approx(expected)
    mean = mean_average_precision(list(map(_found, FOUND)), list(map(_truth, THERE)), overlap=overlap)
    assert mean == pytest.approx(sum(expected) / 3)


def test_by_hand():
    """Two objects; the surest box is right, the next wrong, the last right: 51 recalls at 1, 50 at 2/3."""
    there = [_truth([[0, 0, 10, 10, 1], [20, 20, 30, 30, 1]])]
    boxes = [[0, 0, 10, 10, 1, 0.9], [40, 40, 50, 50, 1, 0.8], [20, 20, 30, 30, 1, 0.7]]
    assert average_precision([_found(boxes)], there)[1] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision([_found(boxes[::-1])], there)[1] == pytest.approx((51 + 50 * 2 / 3) / 101)  # in any order


def test_an_object_is_found_once_and_by_its_own_class():
    there = [_truth([[0, 0, 10, 10, 1]])]
    twice = [[0, 0, 10, 10, 1, 0.5], [0, 0, 10, 10, 1, 0.9]]
    assert average_precision([_found(twice)], there) == {1: 1.0}
    assert average_precision([_found([[0, 0, 10, 10, 2, 0.9]])], there) == {1: 0.0}
    assert average_precision([_found([])], there) == {1: 0.0}


def test_nothing_there_has_no_average_precision():
    assert average_precision([_found([])], [_truth([])]) == {}
    mean = mean_average_precision([_found([])], [_truth([])])
    assert mean != mean
