import pytest
import torch

from genviz.classifiers import box_operators
from genviz.classifiers.box_operators import nms, roi_align


def test_a_box_that_overlaps_a_surer_one_goes():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30], [0, 0, 10, 5], [5, 5, 5, 5]])
    scores = torch.tensor([0.5, 0.9, 0.1, 0.7, 0.2])
    assert nms(boxes, scores, 0.5).tolist() == [1, 3, 4, 2]
    assert nms(boxes, scores, 0.4).tolist() == [1, 4, 2]  # 45 / 105 of boxes 1 and 3
    assert nms(boxes[:0], scores[:0], 0.5).tolist() == []


@pytest.mark.parametrize("aligned", [False, True])
def test_roi_align_is_torchvisions(aligned):
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 3, 10, 15, generator=generator, dtype=torch.float64, requires_grad=True)
    corner = torch.rand(8, 2, generator=generator, dtype=torch.float64) * 50
    far = corner + 0.5 + 25 * torch.rand(8, 2, generator=generator, dtype=torch.float64)
    rois = torch.cat([torch.arange(8, dtype=torch.float64)[:, None] % 2, corner, far], 1)
    rois[0, 1:] = torch.tensor([0, 0, 120, 80])  # all of the picture
    own = roi_align(features, rois, 0.125, 3, 2, 2, aligned)
    theirs = box_operators._theirs()(features, rois, 0.125, 3, 2, 2, aligned)
    torch.testing.assert_close(own, theirs)
    weights = torch.rand(own.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((pooled * weights).sum(), features)[0] for pooled in (own, theirs)]
    torch.testing.assert_close(*gradients)


def test_a_picture_without_boxes_and_a_map_of_one_pixel():
    assert roi_align(torch.rand(1, 2, 4, 4), torch.zeros(0, 5), 1.0, 2, 2, 2, False).shape == (0, 2, 2, 2)
    one = torch.full((1, 1, 1, 1), 3.0)
    assert roi_align(one, torch.tensor([[0.0, 0, 0, 1, 1]]), 1.0, 2, 2, 2, False).tolist() == [[[[3, 3], [3, 3]]]]
