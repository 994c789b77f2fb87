import pytest
import torch
from classic_files import NORM, dagnn, made, narrowed, simplenn, write_caffe, write_v5, write_v73
from torch import nn
from vgg_files import CLASSES, by_layer
from vgg_files import narrow as narrow_vgg
from vgg_files import write_caffe as write_vgg

from genviz.classifiers import conversion
from genviz.classifiers.classic import ClassicClassifier
from genviz.classifiers.conversion import convert
from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files import vgg_file
from genviz.errors import UserError


@pytest.fixture
def settings(monkeypatch, tmp_path):
    return narrowed(monkeypatch, tmp_path)


@pytest.mark.parametrize("name", ["alexnet_caffe", "caffenet", "vgg_f", "vgg_m", "vgg_s"])
@pytest.mark.parametrize("form", [simplenn, dagnn])
def test_what_was_converted_sees_what_the_file_does(tmp_path, settings, name, form):
    source, target = tmp_path / "net.mat", tmp_path / "net.safetensors"
    picture = 255 * torch.rand(3, 20, 20)
    write_v5(source, form(made(name), picture.permute(1, 2, 0).numpy()))
    facts = convert(source, target)
    assert facts.classifier == name
    assert facts.norms["norm1"] == pytest.approx(NORM)
    images = torch.rand(1, 3, 224, 224)
    one, other = (ClassicClassifier(architecture=name, weights=str(path), **settings) for path in (source, target))
    assert isinstance(other.input_space, MeanPicture)
    torch.testing.assert_close(one(images, ["scores"]), other(images, ["scores"]))


def test_networks_of_the_same_shapes_are_told_apart_by_their_order_or_by_name(tmp_path, settings):
    write_caffe(tmp_path / "net.caffemodel", made("caffenet"), old=True)
    assert convert(tmp_path / "net.caffemodel", tmp_path / "net.safetensors").classifier == "caffenet"
    write_caffe(tmp_path / "bare.caffemodel", made("caffenet"), old=True, bare=True)
    with pytest.raises(UserError, match="fits alexnet_caffe and caffenet; say which it is: --classifier alexnet_caffe"):
        convert(tmp_path / "bare.caffemodel", tmp_path / "bare.safetensors")
    facts = convert(tmp_path / "bare.caffemodel", tmp_path / "bare.safetensors", "caffenet")
    assert (facts.classifier, facts.norms, facts.input_space) == ("caffenet", {}, None)
    with pytest.raises(UserError, match="has pool1 where .* has norm1"):
        convert(tmp_path / "net.caffemodel", tmp_path / "net.safetensors", "alexnet_caffe")


def test_a_vgg16_keeps_torchvisions_names(tmp_path, monkeypatch):
    network = narrow_vgg()
    with torch.device("meta"):
        empty = narrow_vgg()
    monkeypatch.setattr(conversion, "without_weights", lambda *of: empty.to("meta"))
    write_vgg(tmp_path / "vgg.caffemodel", by_layer(network), old=True)
    facts = convert(tmp_path / "vgg.caffemodel", tmp_path / "vgg.safetensors")
    assert facts.classifier == "vgg16"
    found = vgg_file.load(tmp_path / "vgg.safetensors")
    assert all(torch.equal(found.state[name], value) for name, value in network.state_dict().items())
    assert found.input_space.means == [103.939, 116.779, 123.68]
    assert len(found.state["classifier.6.bias"]) == CLASSES


def _without_fc8(path):
    write_vgg(path, {n: pair for n, pair in by_layer(narrow_vgg()).items() if n.startswith("conv")}, old=False)


@pytest.mark.parametrize(
    ("source", "target", "name", "write", "says"),
    [
        ("net.caffemodel", "x.safetensors", None, lambda path: None, "there is no file"),
        ("net.pth", "x.safetensors", None, lambda path: path.touch(), "no .mat or .caffemodel file"),
        ("net.mat", "x.pth", None, lambda path: path.touch(), "must end in .safetensors"),
        ("net.mat", "x.safetensors", "resnet50", lambda path: path.touch(), "--classifier resnet50 is unknown"),
        ("net.caffemodel", "x.safetensors", None, _without_fc8, "no class scores"),
        (
            "net.caffemodel",
            "x.safetensors",
            None,
            lambda path: write_caffe(path, nn.Sequential(nn.Conv2d(3, 4, 5)), old=False),
            r"is none of alexnet_caffe, .*its layers are 0 \(4, 3, 5, 5\)",
        ),
        (
            "net.mat",
            "x.safetensors",
            "vgg_m",
            lambda path: write_v73(path, simplenn(made("vgg_f"))),
            r"does not fit vgg_m: conv1.weight is \(2, 3, 11, 11\), not \(4, 3, 7, 7\)",
        ),
    ],
)
def test_what_cannot_be_converted_is_one_line_and_leaves_nothing(tmp_path, settings, source, target, name, write, says):
    write(tmp_path / source)
    with pytest.raises(UserError, match=says) as caught:
        convert(tmp_path / source, tmp_path / target, name)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / target).exists()
