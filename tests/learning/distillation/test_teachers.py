import pytest
import torch
from small_lessons import teacher

from genviz.errors import UserError
from genviz.learning.distillation.teachers import Teachers


def test_one_teacher_says_what_it_says():
    one, images = teacher(0), torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(Teachers([one])(images), one(images, ["scores"])["scores"])
    assert Teachers([one]).sha256 == one.weights_sha256


def test_several_say_the_mean_of_their_probabilities():
    one, two, images = teacher(0), teacher(1, size=24), 5 * torch.rand(2, 3, 16, 16)
    probabilities = [each(images, ["scores"])["scores"].softmax(1) for each in (one, two)]
    both = Teachers([one, two])
    torch.testing.assert_close(both(images).softmax(1), (probabilities[0] + probabilities[1]) / 2)
    assert both.size == 24
    assert len({both.sha256, Teachers([one, teacher(2)]).sha256, one.weights_sha256, two.weights_sha256}) == 4


def test_they_have_the_same_classes():
    with pytest.raises(UserError, match=r"different classes \(5 and 3\)"):
        Teachers([teacher(0), teacher(0, classes="abc")])
