import pytest

from genviz.training import configuration, naming


@pytest.mark.parametrize(
    ("classifier", "weights", "expected"),
    [
        ("vgg_m", "converted/vgg_m.safetensors", "vgg_m"),  # which has no weights by default
        ("vgg_m", "vgg_m_2.safetensors", "vgg_m_2"),
        ("vgg_m", "imagenet-vgg-m.mat", "vgg_m-imagenet-vgg-m"),
        ("vgg16", "vgg16.pth", "vgg16-vgg16"),
        ("vgg16", "default", "vgg16"),
        ("module", "module.pth", "module-module"),
        ("module", "null", "module"),  # the builder's own
    ],
)
def test_a_file_named_after_its_network_is_not_named_twice_unless_there_is_another(classifier, weights, expected):
    words = [f"classifier={classifier}", f"classifier.weights={weights}", "target=class:1"]
    words += ["classifier.builder=a.b:c"] if classifier == "module" else []
    assert naming.classifier_name(configuration.compose("train", words)) == expected


def test_a_generator_without_weights_is_not_called_none():
    config = configuration.compose("train", ["target=class:1", "generator.weights=null"])
    assert naming.names(config).generator == "pretrained_views"
