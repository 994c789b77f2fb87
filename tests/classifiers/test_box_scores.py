import copy
import math

import pytest
import torch
from tiny_detectors import KINDS, SIZE, build, loud

from genviz.classifiers.box_operators import stand_in
from genviz.classifiers.box_scores import box_scores, exclusive, independent

stand_in()


def _images(count=2, size=SIZE):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS)
def test_a_score_is_the_log_odds_of_the_best_detection(kind):
    detector = loud(build(kind))
    images = _images()
    scores = box_scores(detector)((images - 0.5) / 0.25).detach()
    assert scores.shape == (2, 4)
    for own, found in zip(scores.sigmoid(), detector(list(images)), strict=True):
        best = [found["scores"][found["labels"] == number].max() for number in (1, 2, 3)]
        torch.testing.assert_close(own[1:], torch.stack(best), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_has_the_scores_that_it_has_alone(kind):
    network, images = box_scores(loud(build(kind))), _images(3)
    alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(network(images), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_has_a_gradient(kind):
    network = box_scores(loud(build(kind)))
    images = _images(1, 72).requires_grad_()
    scores = network(images)[0]
    for number in range(4):
        (gradient,) = torch.autograd.grad(scores[number], images, retain_graph=True)
        assert gradient.isfinite().all()
        assert gradient.any()


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_padded_at_the_right_and_below_to_a_multiple_of_32_as_torchvision_does(kind):
    network, seen = box_scores(loud(build(kind))), []
    network.backbone.register_forward_pre_hook(lambda _module, given: seen.append(given[0]))
    images = torch.rand(2, 3, 72, 60)
    network(images)
    if kind == "ssd":  # which pads nothing
        assert torch.equal(seen[0], images)
    else:
        assert torch.equal(seen[0], network.detector.transform.batch_images(list(images)))
        assert seen[0].shape == (2, 3, 96, 64)
        assert torch.equal(seen[0][..., :72, :60], images)


def test_exclusive_scores_are_exact_however_sure_a_box_is():
    logits = torch.tensor([[[0.0, 0.0, 40.0], [5.0, 0.0, 0.0]]])
    background, first, second = exclusive(logits)[0]
    assert second == pytest.approx(40 - torch.tensor(2.0).log().item())
    assert background == pytest.approx(-40.0, abs=1e-4)  # of the first box, which holds something
    assert first == pytest.approx(-torch.tensor(torch.e**5 + 1).log().item())


def test_independent_scores_leave_class_0_to_the_background():
    logits = torch.tensor([[[9.0, -1.0, 2.0], [9.0, -3.0, -4.0]]])
    assert independent(logits).tolist() == [[-2.0, -1.0, 2.0]]
    assert independent(logits, 2).tolist() == [[0.5, -2.0, -1.0]]
    assert independent(logits, 50).tolist() == [[0.5, -2.0, -1.0]]  # there are no more


@pytest.mark.parametrize("kind", KINDS)
def test_a_mean_of_several_boxes_is_less_than_the_best_ones(kind):
    detector = loud(build(kind))
    one, many = box_scores(detector)(_images()), box_scores(detector, 5)(_images())
    assert (many[:, 1:] < one[:, 1:]).all()
    assert (many[:, 0] > one[:, 0]).all()  # the background's is of the boxes that hold it least


def test_several_boxes_share_the_gradient():
    logits = torch.tensor([[[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]], requires_grad=True)
    scores = exclusive(logits, 2)
    even, less, more = -math.log(2), -math.log(math.e**2 + 1), -math.log(math.e**3 + 1)  # log-odds of a 0 in each box
    sure = 3 - math.log(2)  # of the 3
    expected = [(more + even) / 2, (sure + even) / 2, (even + less) / 2]  # class 0: of the two that hold it least
    assert scores[0].tolist() == pytest.approx(expected, rel=1e-5)
    for number, boxes in enumerate(([True, False, True], [True, False, True], [True, True, False])):
        (gradient,) = torch.autograd.grad(scores[0, number], logits, retain_graph=True)
        assert gradient[0].any(1).tolist() == boxes


def test_objectness_is_of_the_first_stage_and_its_threshold_comes_back():
    detector = loud(build("fasterrcnn"))
    detector.rpn.score_thresh = 0.9999
    seen = []
    network = box_scores(detector)
    network.objectness.register_forward_hook(lambda _module, _given, result: seen.append(result))
    assert network(_images()).isfinite().all()
    levels, _ = detector.rpn.head([detector.backbone(_images())])
    torch.testing.assert_close(seen[0], levels[0].flatten(1).amax(1, keepdim=True))
    assert detector.rpn.score_thresh == 0.9999
    assert not detector.rpn.head._forward_hooks


def test_a_picture_without_proposals_has_faint_scores():
    detector = loud(build("fasterrcnn"))
    detector.rpn.min_size = 1e6
    assert box_scores(detector)(_images()).tolist() == [[-30.0] * 4] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_modules_have_the_detectors_names_also_in_a_copy(kind):
    detector = loud(build(kind))
    network = copy.deepcopy(box_scores(detector))
    assert network.state_dict().keys() == detector.state_dict().keys()
    assert network.detector.backbone is network.backbone
    assert network.backbone is not detector.backbone
