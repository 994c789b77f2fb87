import pytest
import torch
from small_lessons import crops, lessons, teacher

from genviz.classifiers.from_module import from_module
from genviz.errors import UserError


def test_a_lesson_is_what_the_trunk_sees_and_what_the_teacher_says():
    made = lessons(layers=["relu3_1"])
    lesson = made(crops(), 32)
    images = crops().float() / 255
    whole = from_module(made.trunk.network, input_size=32)  # which resizes
    torch.testing.assert_close(lesson.features, whole(images, ["relu3_1"])["relu3_1"])
    torch.testing.assert_close(lesson.scores, teacher(0)(images, ["scores"])["scores"])
    assert made.channels == 6


def test_layers_are_joined_in_the_places_of_the_last():
    made = lessons(layers=["relu2_1", "relu3_1"])
    features = made(crops(), 32).features
    assert features.shape == (4, 5 + 6, 8, 8)
    torch.testing.assert_close(features[:, 5:], lessons(layers=["relu3_1"])(crops(), 32).features)
    assert made.channels == 11


def test_the_size_is_one_of_those_given_and_a_whole_pictures_is_the_last():
    made, given = lessons(), crops()
    assert {made(given).features.shape[-1] for _ in range(20)} == {6, 8}
    whole = made.whole(crops())
    assert whole.features.shape[-1] == 10
    torch.testing.assert_close(whole.scores, teacher(0, size=24)(crops().float() / 255, ["scores"])["scores"])


def test_the_teacher_sees_no_noise_and_each_crop_has_its_own():
    made, clean = lessons(noise=0.5), lessons()
    torch.manual_seed(0)
    noisy, plain = made(crops(64), 32), clean(crops(64), 32)
    torch.testing.assert_close(noisy.scores, plain.scores)
    change = (noisy.features - plain.features).square().mean((1, 2, 3)).sqrt()
    assert change.min() < 0.2 * change.max()


def test_trunk_and_teacher_see_the_same_mixture():
    made = lessons(mix=1.0)
    seen = []
    made.teachers.register_forward_pre_hook(lambda part, given: seen.append(given[0]))
    torch.manual_seed(0)
    lesson = made(crops(), 40)
    assert not torch.equal(seen[0], crops().float() / 255)
    torch.testing.assert_close(lesson.features, made.features(seen[0]))


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"layers": ["relu9_9"]}, "no maps relu9_9; there are "),
     ({"layers": []}, "name one or more of the trunk's; there are "),
     ({"layers": ["scores"]}, "no maps scores"), ({"sizes": []}, r"distillation.sizes=\[\]"),
     ({"sizes": [0]}, r"distillation.sizes=\[0\]"),
     ({"sizes": 224}, "distillation.sizes=224 must be a list of pixels, such as"),
     ({"sizes": [2]}, "2 x 2 pixels are too small"),
     ({"final_size": "large"}, "student.input_size=large")],
)  # fmt: skip
def test_what_the_trunk_has_not_is_one_line(settings, says):
    with pytest.raises(UserError, match=says) as caught:
        lessons(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"mix": 1.5}, {"noise": -1}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        lessons(**settings)
