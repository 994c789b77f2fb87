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


def test_pictures_with_long_names_make_a_folder_that_a_file_system_takes():
    def generator(style):
        words = ["target=class:1", f"image={'山' * 40}.jpg", f"style={style}.jpg", "generator=pixels"]
        return naming.names(configuration.compose("train", words)).generator

    first, second = generator("水" * 40), generator("水" * 39 + "火")
    assert first.startswith("pixels-山山")
    assert first != second
    assert len(first.encode()) <= 200
