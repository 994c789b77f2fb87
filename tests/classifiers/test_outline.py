import pytest
import torch

from genviz.classifiers.outline import architectures, build, sketch, sketch_network
from genviz.errors import UserError
from genviz.interfaces import SCORES


def test_vgg16s_layers_in_their_order_with_their_shapes():
    layers = {layer.name: layer for layer in sketch("vgg16").layers}
    assert layers["relu5_1"].shape == (512, 14, 14)
    assert layers["relu5_1"].module == "features.25"
    assert layers["fc8"].shape == layers[SCORES].shape == (1000,)
    order = list(layers)
    assert order.index("conv1_1") < order.index("relu1_1") < order.index("pool5") < order.index("fc6")
    assert order[-1] == SCORES


def test_each_network_sees_its_own_size():
    assert sketch("vgg16").input_size == (224, 224)
    assert sketch("inception_v3").input_size == (299, 299)
    assert sketch("squeezenet1_0", input_size=227).layers[0].shape == (96, 111, 111)


def test_a_shared_relu_has_a_name_for_each_call():
    names = [layer.name for layer in sketch("resnet50").layers]
    assert {"layer1.0.relu", "layer1.0.relu_1", "layer1.0.relu_2"} <= set(names)
    assert len(names) == len(set(names))


def test_tokens_and_swins_maps_have_their_channels_first():
    vit = {layer.name: layer.shape for layer in sketch("vit_b_16").layers}
    assert vit["encoder.ln"] == (768, 197)
    swin = {layer.name: layer.shape for layer in sketch("swin_t").layers}
    stem = ("features.0.0", "features.0.1", "features.0.2", "features.0", "features.1.0.attn", "features.1.0")
    assert {swin[name] for name in stem} == {(96, 56, 56)}
    assert (swin["norm"], swin["permute"], swin["avgpool"]) == ((768, 7, 7), (768, 7, 7), (768, 1, 1))


@pytest.mark.slow
def test_of_every_layer_of_torchvisions_that_depends_on_the_picture_the_channels_are_known():
    for architecture in ("swin_v2_t", "maxvit_t", "convnext_tiny", "shufflenet_v2_x0_5"):
        assert all(layer.axis is not None for layer in sketch(architecture).layers)
    names = [layer.name for layer in sketch("swin_v2_t").layers]
    assert not any(".cpb_mlp" in name for name in names)  # positions alone


def test_squeezenets_scores_come_out_of_a_relu_and_vggs_do_not():
    assert sketch("squeezenet1_0").preactivations[SCORES] == "classifier.2.input"
    assert SCORES not in sketch("vgg16").preactivations
    assert sketch("vgg16").preactivations["relu5_1"] == "features.25.input"


def test_labels_from_a_file_make_a_network_of_as_many_classes(tmp_path):
    (tmp_path / "labels.txt").write_text("healthy\n\nill\nunsure\n")
    outline = sketch("resnet18", labels=str(tmp_path / "labels.txt"))
    assert outline.labels == ("healthy", "ill", "unsure")
    assert outline.layers[-1].shape == (3,)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"architecture": "resnt50"}, "nearest: resnet50.*genviz classifiers"),
        ({"architecture": "vgg16", "input_size": 8}, "cannot take 8 x 8"),
        ({"architecture": "vgg16", "input_size": 0}, "must be a number of pixels"),
        ({"architecture": "vit_b_16", "input_size": 100}, "cannot take 100 x 100"),
        ({"architecture": "vgg16", "labels": "/nowhere.txt"}, "cannot read the labels"),
    ],
)
def test_what_cannot_be_is_one_clear_line(settings, says):
    with pytest.raises(UserError, match=says):
        sketch(**settings)


LARGE = ("regnet_x_32gf", "regnet_y_16gf", "regnet_y_32gf", "regnet_y_128gf")  # seconds each, and like the smaller ones


FAMILIES = {
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5"),
    *("mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_0"),
    *("swin_t", "swin_v2_t", "vgg11", "vit_b_32", "wide_resnet50_2"),
}
"""One of each; the others, which are built alike, belong to the campaigns."""


@pytest.mark.parametrize(
    "architecture",
    [
        pytest.param(name, marks=() if name in FAMILIES else pytest.mark.campaign)
        for name in architectures()
        if name not in LARGE
    ],
)
def test_every_model_of_torchvision_has_an_outline(architecture):
    outline = sketch(architecture)
    assert len(outline.labels) == 1000
    assert len({layer.name for layer in outline.layers}) == len(outline.layers) > 5


def test_building_draws_no_weights_on_the_meta_device():
    with torch.device("meta"):
        assert next(build("vgg16", 10, 224, initialize=False).parameters()).is_meta


def test_a_size_that_a_network_refuses_by_an_assertion_is_one_line():
    class Particular(torch.nn.Module):
        def forward(self, images):
            assert images.shape[-1] > 32, "Wrong image width!"
            if images.shape[-1] < 48:
                raise AssertionError
            return images.mean((2, 3))

    with pytest.raises(UserError, match=r"the network cannot take 32 x 32 pixels \(Wrong image width!\)"):
        sketch_network(Particular(), ("a", "b", "c"), 32)
    with pytest.raises(UserError, match=r"the network cannot take 40 x 40 pixels \(AssertionError\)"):
        sketch_network(Particular(), ("a", "b", "c"), 40)
