import pytest
import torch

from genviz.classifiers.detector import DetectorClassifier
from genviz.classifiers.outline import sketch
from genviz.classifiers.representation import HOGClassifier
from genviz.interfaces import Layer, Outline
from genviz.objectives.distributions import Distribution, distance, last_of_blocks, ordered, thinned


def test_a_distribution_is_the_mean_of_what_is_in_order_and_how_far_the_pictures_are_from_it():
    torch.manual_seed(0)
    pictures, found = torch.rand(5, 3, 4, 6), Distribution()
    for picture in pictures:
        found.add(picture[None])
    in_order = pictures.flatten(2).sort(2).values
    torch.testing.assert_close(found.mean, in_order.mean(0))
    torch.testing.assert_close(found.apart, (in_order - in_order.mean(0)).square().mean())
    torch.testing.assert_close(found.apart, distance(pictures, found.mean[None]).mean())
    assert found.pictures == 5


def test_each_image_is_compared_with_its_own_target():
    wanted = torch.stack([torch.zeros(2, 9), torch.ones(2, 9)])
    images = torch.tensor([0.0, 0.5, 1.0, 3.0]).view(4, 1, 1, 1).expand(4, 2, 3, 3)  # two views of each
    assert distance(images, wanted).tolist() == [0, 0.25, 0, 4]
    assert ordered(torch.tensor([[[[3.0, 1], [2, 0]]]])).tolist() == [[[0, 1, 2, 3]]]


@pytest.mark.parametrize(
    ("positions", "kept"), [(None, (8, 6)), (48, (8, 6)), (47, (4, 3)), (12, (4, 3)), (11, (3, 2)), (1, (1, 1))]
)
def test_of_large_maps_a_grid_is_kept(positions, kept):
    maps = torch.arange(96.0).view(1, 2, 8, 6)
    found = thinned(maps, positions)
    assert tuple(found.shape) == (1, 2, *kept)
    assert found[0, 0, 0, 0] == 0
    step = next(step for step in range(1, 9) if (-(-8 // step), -(-6 // step)) == kept)
    assert torch.equal(found, maps[:, :, ::step, ::step])
    assert thinned(torch.rand(1, 5, 50), 20).shape == (1, 5, 17)  # tokens


def test_blocks_end_where_maps_shrink_if_they_are_not_known():
    assert last_of_blocks(sketch("squeezenet1_0")) == ["relu1", "fire4", "fire8", "features"]
    assert last_of_blocks(sketch("densenet121"))[-1] == "features.denseblock4@100"
    flat = Outline(("u", "v"), (Layer("a", "0", (3,)), Layer("scores", "scores", (2,))), {}, (8, 8))
    assert last_of_blocks(flat) == []


@pytest.mark.parametrize("architecture", ["ssdlite320_mobilenet_v3_large", "fcos_resnet50_fpn"])
def test_of_a_detector_they_end_before_its_boxes_and_scores(architecture):
    found = last_of_blocks(DetectorClassifier.sketch(architecture=architecture))
    assert len(found) >= 3
    assert all(layer.startswith("backbone") for layer in found)


def test_a_representation_without_classes_is_looked_at_to_its_end():
    assert last_of_blocks(HOGClassifier.sketch(input_size=64))[-1] == "hog"
