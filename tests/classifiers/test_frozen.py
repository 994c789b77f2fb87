import pytest
import torch

from genviz.classifiers.small import SmallClassifier
from genviz.classifiers.torchvision import TorchvisionClassifier
from genviz.errors import UserError


@pytest.fixture(scope="module")
def classifier():
    return SmallClassifier(weights="random", input_size=32)


def test_nothing_in_it_takes_a_gradient_and_the_image_does(classifier):
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    classifier(image, ["fc8"])["fc8"].sum().backward()
    assert image.grad.abs().sum() > 0


def test_it_never_leaves_eval_mode(classifier):
    assert not classifier.train().training


def test_images_of_another_size_are_resized(classifier):
    assert classifier(torch.rand(1, 3, 50, 40), ["relu3_1"])["relu3_1"].shape[-2:] == (8, 8)


def test_scores_through_a_part_are_those_of_a_network_with_it(classifier):
    images = torch.rand(2, 3, 50, 40)
    seen = classifier(images, ["relu3_1", "scores"])
    torch.testing.assert_close(classifier.through(images, "relu3_1", lambda value: value), seen["scores"])
    assert not classifier.through(images, "relu8", torch.zeros_like).any()
    shapes = []
    classifier.through(images, "relu3_1", lambda value: shapes.append(value.shape) or value)
    assert shapes == [seen["relu3_1"].shape]


def test_a_layer_and_what_goes_into_it_share_a_receptive_field(classifier):
    assert classifier.receptive_field("relu3_1") == classifier.receptive_field("relu3_1.input")
    assert classifier.receptive_field("pool2").stride == 4
    with pytest.raises(UserError, match="whole image"):
        classifier.receptive_field("scores")


@pytest.mark.parametrize(
    ("layers", "stride"),
    [(["relu1_1"], 1), (["relu3_1"], 4), (["relu3_1.input"], 4), (["pool2", "relu3_1"], 4), (["relu2_1", "relu4_2"], 8),
     (["fc8"], 16), (["scores"], 16), (["relu3_1", "scores"], 16), ([], 16)],
)  # fmt: skip
def test_a_layer_without_positions_takes_the_networks_last_stride(classifier, layers, stride):
    assert classifier.stride(layers) == stride


def test_the_side_of_a_layers_field_is_what_its_middle_position_looks_at(classifier):
    """By the gradient."""
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    layer = classifier(image, ["conv2_1"])["conv2_1"]
    (gradient,) = torch.autograd.grad(layer[0, :, 8, 8].square().sum(), image)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    assert classifier.receptive_side("conv2_1") == 8
    assert classifier.receptive_side("conv2_1.input") == 8
    assert 6 <= len(rows) <= 8  # max pooling looks at all four and takes one
    assert classifier.receptive_side("scores") is None


def test_what_cannot_be_traced_has_no_fields():
    untraceable = SmallClassifier(weights="random", input_size=32)
    untraceable.__dict__["_areas"] = {}
    assert untraceable.receptive_side("relu3_1") is None
    assert untraceable.stride(["relu3_1"]) == 1


@pytest.mark.parametrize("make", [
    lambda **settings: SmallClassifier(weights="random", input_size=32, **settings),
    lambda **settings: TorchvisionClassifier(
        architecture="squeezenet1_1", weights="random", input_size=64, **settings
    ),
])  # fmt: skip
def test_without_resizing_an_image_is_seen_in_its_own_size(make):
    torch.manual_seed(0)
    own, resized = make(resize=False), make()
    assert (own.outline.resizes, resized.outline.resizes) == (False, True)
    image = torch.rand(1, 3, 100, 84)
    layer = own.outline.layers[2].name
    seen = own(image, [layer, "scores"])
    assert seen[layer].shape[2:] != resized(image, [layer])[layer].shape[2:]
    module = own.network.get_submodule(own._place(layer).tap)
    kept = []
    handle = module.register_forward_hook(lambda module, given, output: kept.append(output))
    scores = own.network(own.input_space(image))
    handle.remove()
    torch.testing.assert_close(seen[layer], kept[0])
    torch.testing.assert_close(seen["scores"], scores)
    side = own.outline.input_size[0]
    square = torch.rand(1, 3, side, side)  # there is nothing to resize
    torch.testing.assert_close(own(square, [layer])[layer], resized(square, [layer])[layer])


def test_without_resizing_a_pixel_far_away_moves_nothing():
    own = SmallClassifier(weights="random", input_size=32, resize=False)
    image = torch.rand(1, 3, 200, 120)
    moved = image.clone()
    moved[..., -1, -1] = 1 - moved[..., -1, -1]
    before, after = own(image, ["relu3_1"])["relu3_1"], own(moved, ["relu3_1"])["relu3_1"]
    assert before.shape[2:] == (50, 30)
    far = slice(0, 50 - own.receptive_side("relu3_1") // 4 - 1)
    torch.testing.assert_close(before[:, :, far], after[:, :, far], rtol=0, atol=0)
    assert not torch.equal(before, after)


@pytest.mark.parametrize("resize", ["no", 0, None])
def test_resize_is_true_or_false(resize):
    with pytest.raises(UserError, match="must be true or false"):
        SmallClassifier(weights="random", resize=resize)
    with pytest.raises(UserError, match="must be true or false"):
        TorchvisionClassifier(architecture="alexnet", weights="random", resize=resize)
