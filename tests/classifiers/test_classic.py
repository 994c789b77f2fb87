from collections import OrderedDict

import pytest
import torch
from classic_files import COLOUR, dagnn, made, narrowed, simplenn, write_caffe, write_v5, write_v73
from safetensors.torch import save_file
from torch import nn
from vgg_files import field

from genviz.classifiers.classic import ClassicClassifier
from genviz.errors import UserError


@pytest.fixture
def settings(monkeypatch, tmp_path):
    return narrowed(monkeypatch, tmp_path)


def _seen(network, images, means, channels="RGB"):
    """What a network sees of RGB pictures, by hand."""
    inputs = 255 * (images if channels == "RGB" else images.flip(1)) - torch.tensor(means).view(3, 1, 1)
    with torch.no_grad():
        return network(inputs)


WRITERS = {
    "vgg_m.mat": lambda path, network: write_v5(path, simplenn(network)),
    "dag.mat": lambda path, network: write_v5(path, dagnn(network)),
    "v73.mat": lambda path, network: write_v73(path, simplenn(network)),
}


@pytest.mark.parametrize("file", WRITERS)
def test_a_file_of_matconvnets_is_the_network_that_it_holds(tmp_path, settings, file):
    network = made("vgg_m")
    WRITERS[file](tmp_path / file, network)
    classifier = ClassicClassifier(architecture="vgg_m", weights=str(tmp_path / file), **settings)
    images = torch.rand(2, 3, 224, 224)
    found = classifier(images, ["scores", "norm1"])
    torch.testing.assert_close(found["scores"], _seen(network, images, COLOUR))
    first = _seen(nn.Sequential(*list(network)[:3]), images, COLOUR)
    torch.testing.assert_close(found["norm1"], first, rtol=1e-4, atol=1e-4)  # rounding of inputs up to 150
    assert classifier.weights_source == file


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", ["alexnet_caffe", "caffenet"])
def test_a_caffemodel_is_the_network_that_it_holds(tmp_path, settings, name, old):
    network = made(name)
    write_caffe(tmp_path / "net.caffemodel", network, old=old)
    classifier = ClassicClassifier(architecture=name, weights=str(tmp_path / "net.caffemodel"), **settings)
    images = torch.rand(1, 3, 227, 227)
    expected = _seen(network, images, (104.0, 117.0, 123.0), "BGR")
    torch.testing.assert_close(classifier(images, ["scores"])["scores"], expected)
    assert classifier.receptive_field("conv5").size == 163
    assert classifier.receptive_side("scores") == 355  # fc8's, of which it is the mean over a single position


def test_without_settings_in_the_file_the_normalizations_are_those_of_the_paper(tmp_path, settings):
    network = made("caffenet")
    write_caffe(tmp_path / "net.caffemodel", network, old=False, bare=True)
    classifier = ClassicClassifier(architecture="caffenet", weights=str(tmp_path / "net.caffemodel"), **settings)
    assert (classifier.network.norm1.size, classifier.network.norm1.alpha, classifier.network.norm1.k) == (5, 1e-4, 1)


def test_a_state_dict_with_the_layers_names(tmp_path, settings):
    network = made("vgg_f")
    save_file(network.state_dict(), tmp_path / "net.safetensors")
    torch.save({"state_dict": {f"model.{n}": v for n, v in network.state_dict().items()}}, tmp_path / "net.ckpt")
    for name in ("net.safetensors", "net.ckpt"):
        classifier = ClassicClassifier(architecture="vgg_f", weights=str(tmp_path / name), **settings)
        assert torch.equal(classifier.network.conv3.weight, network.conv3.weight)
        assert classifier.input_space.settings["channels"] == "BGR"


def test_random_weights_are_one_and_the_same_network(settings):
    one, other = (ClassicClassifier(architecture="vgg_s", weights="random", **settings) for _ in range(2))
    assert one.weights_sha256 == other.weights_sha256
    assert one.outline == ClassicClassifier.sketch(architecture="vgg_s", weights="random", **settings)
    assert one(torch.rand(1, 3, 50, 50), ["pool5"])["pool5"].shape[2:] == (6, 6)
    assert not any(parameter.requires_grad for parameter in one.parameters())


def test_the_input_space_can_be_said(settings):
    space = {"channels": "RGB", "scale": 255.0, "mean": [1.0, 2.0, 3.0]}
    classifier = ClassicClassifier(architecture="vgg_m", weights="random", input_space=space, **settings)
    assert classifier.input_space.means == [1, 2, 3]


def _wide(path):
    network = made("vgg_m")
    network.conv2 = nn.Conv2d(4, 9, 5)
    write_v5(path, simplenn(network))


def _with(path, name, **added):
    """A network of that name with layers added at its end."""
    network = nn.Sequential(OrderedDict([*made(name).named_children(), *added.items()]))
    write_v5(path, simplenn(network))


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("vgg_m", _wide, r"not fit vgg_m: conv2.weight is \(9, 4, 5, 5\), not \(8, 4, 5, 5\); give a file"),
        (
            "vgg_m",
            lambda path: write_v5(path, simplenn(made("vgg_s"))),
            "it has no norm2, which vgg_m has; it fits classifier=vgg_s",
        ),
        (
            "vgg_f",
            lambda path: write_v5(path, simplenn(made("vgg_m"))),
            r"conv1.weight is \(4, 3, 7, 7\), not .*; it fits classifier=vgg_m",
        ),
        (
            "vgg_s",
            lambda path: _with(path, "vgg_s", norm2=nn.LocalResponseNorm(5)),
            "does not fit vgg_s: it has norm2, which vgg_s does not have",
        ),
        (
            "alexnet_caffe",
            lambda path: write_v5(path, simplenn(made("caffenet"))),
            "it has pool1 where alexnet_caffe has norm1; it fits classifier=caffenet",
        ),
        ("vgg_m", lambda path: _with(path, "vgg_m", fc9=nn.Conv2d(10, 3, 1)), "it has 9 layers with weights, not 8"),
        ("vgg_m", lambda path: None, "there is no weights file .*takes a .mat, .caffemodel"),
        ("vgg_m", lambda path: path.write_bytes(b"?" * 300), "no network that can be read"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(tmp_path, settings, name, write, says):
    write(tmp_path / "net.mat")
    with pytest.raises(UserError, match=says) as caught:
        ClassicClassifier(architecture=name, weights=str(tmp_path / "net.mat"), **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"architecture": "vgg_m"}, "vgg_m comes without weights; give classifier.weights=FILE"),
        ({"architecture": "vgg_x", "weights": "random"}, "it takes alexnet_caffe, caffenet, vgg_f, vgg_m, vgg_s"),
        ({"architecture": "vgg_m", "weights": 3}, "must be a name"),
        ({"architecture": "vgg_m", "weights": "random", "input_size": 30}, "too small"),
        ({"architecture": "vgg_m", "weights": "random", "resize": "no"}, "must be true or false"),
    ],
)
def test_what_cannot_be_built_is_one_line(given, says):
    with pytest.raises(UserError, match=says):
        ClassicClassifier(**given)


def test_a_vgg_m_of_fewer_dimensions_before_fc8_is_told_by_its_shapes(tmp_path, settings):
    """VGG_CNN_M_2048 and the like: the shapes of both are in the message."""
    network = made("vgg_m")
    network.fc7, network.fc8 = nn.Conv2d(16, 5, 1), nn.Conv2d(5, 10, 1)
    write_caffe(tmp_path / "net.caffemodel", network, old=False, transform=field(6, 1))
    with pytest.raises(UserError, match=r"fc7.weight is \(5, 16\), not \(16, 16, 1, 1\)"):
        ClassicClassifier(architecture="vgg_m", weights=str(tmp_path / "net.caffemodel"), **settings)
