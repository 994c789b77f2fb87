import struct

import pytest
import torch
from classic_files import NORM, made, real
from classic_files import write_caffe as write_classic
from vgg_files import blob, by_layer, field, narrow, varint, write_caffe

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.weight_files import caffe_file
from genviz.errors import UserError


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_both_versions_hold_the_layers_by_name(tmp_path, old, double):
    expected = by_layer(narrow())
    write_caffe(tmp_path / "vgg.caffemodel", expected, old=old, double=double)
    found = caffe_file.read(tmp_path / "vgg.caffemodel").state
    assert found.keys() == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}
    for name, (weight, bias) in expected.items():
        assert torch.equal(found[f"{name}.weight"], weight), name
        assert torch.equal(found[f"{name}.bias"], bias), name


def test_what_is_not_read_does_no_harm(tmp_path):
    """A gradient beside the numbers, a field of the future, a bias of one number."""
    weight = blob(torch.arange(6.0).view(2, 3), old=True) + field(6, struct.pack("<6f", *range(6))) + field(99, b"?")
    layer = field(4, b"fc8") + field(6, weight) + field(6, blob(torch.ones(1), old=True)) + field(77, 1)
    (tmp_path / "vgg.caffemodel").write_bytes(field(2, layer))
    found = caffe_file.read(tmp_path / "vgg.caffemodel").state
    assert found["fc8.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["fc8.bias"].tolist() == [1]


def _wrong_count(path):
    weight = b"".join(field(place, 2) for place in (1, 2, 3, 4)) + field(5, struct.pack("<3f", 1, 2, 3))
    path.write_bytes(field(2, field(4, b"conv1_1") + field(6, weight)))


def _half(path):
    write_caffe(path, by_layer(narrow()), old=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _half_a_number(path):
    path.write_bytes(field(2, field(4, b"conv1_1") + field(6, field(5, b"\0\0\0"))))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: path.write_bytes(b""), "holds no layers with weights"),
        (lambda path: path.write_bytes(b"layers { name: 'conv1_1' }"), "holds no weights that can be read"),
        (lambda path: path.write_bytes(field(1, b"a net without any")), "holds no layers with weights"),
        (_half, "holds no weights that can be read"),
        (_half_a_number, "holds no weights that can be read"),
        (_wrong_count, r"conv1_1.weight has shape \[2, 2, 2, 2\] but 3 values"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path, write, says):
    write(tmp_path / "vgg.caffemodel")
    with pytest.raises(UserError, match=says) as caught:
        caffe_file.read(tmp_path / "vgg.caffemodel")
    assert "\n" not in str(caught.value)


MEAN = b"".join(real(5, value) for value in (104.5, 116.25, 122.0))


@pytest.mark.parametrize("old", [False, True])
def test_normalizations_the_order_and_the_mean_are_the_files(tmp_path, old):
    network = made("caffenet")
    write_classic(tmp_path / "net.caffemodel", network, old=old, transform=MEAN)
    found = caffe_file.read(tmp_path / "net.caffemodel")
    assert found.norms == {"norm1": pytest.approx(NORM), "norm2": pytest.approx(NORM)}
    assert found.order[:6] == ("data", "conv1", "relu1", "pool1", "norm1", "conv2")
    assert found.input_space.settings["channels"] == "BGR"
    assert found.input_space.means == [104.5, 116.25, 122.0]
    assert torch.equal(found.state["conv2.weight"], network.conv2.weight)
    assert torch.equal(found.state["fc6.weight"], network.fc6.weight.flatten(1))


def test_what_a_normalization_does_not_say_is_caffes_default(tmp_path):
    layer = field(1, b"norm1") + field(118, field(1, 3))
    weight = field(1, b"conv1") + field(7, blob(torch.ones(1), old=False))
    (tmp_path / "net.caffemodel").write_bytes(field(100, layer) + field(100, weight))
    assert caffe_file.read(tmp_path / "net.caffemodel").norms == {"norm1": Norm(3, 1.0, 0.75, 1.0)}


PROTOTXT = """
name: "a network"
input: "data"  # with a comment
input_dim: [1, 3, 227, 227]
layers { name: "conv1" type: CONVOLUTION bottom: "data" convolution_param { num_output: 96 } blobs_lr: 1 }
layers { name: "pool1" type: POOLING pooling_param { pool: MAX } }
layers { name: "norm1" type: LRN lrn_param { local_size: 3 alpha: 0.06 beta: 0.5 k: 1.5 norm_region: ACROSS_CHANNELS } }
layers { name: "data" type: DATA transform_param { mean_value: 104 mean_value: 117 mean_value: 123 mirror: true } }
"""


def test_a_prototxt_beside_it_says_what_the_weights_alone_do_not(tmp_path):
    write_classic(tmp_path / "net.caffemodel", made("caffenet"), old=True, bare=True)
    alone = caffe_file.read(tmp_path / "net.caffemodel")
    assert (alone.norms, alone.input_space) == ({}, None)
    (tmp_path / "net.prototxt").write_text(PROTOTXT * 3)
    found = caffe_file.read(tmp_path / "net.caffemodel")
    assert found.norms == {"norm1": pytest.approx(NORM)}
    assert found.input_space.means == [104, 117, 123]
    assert found.order == ("conv1", "pool1", "norm1", "data")


def test_a_scale_beside_the_mean_is_the_files(tmp_path):
    write_classic(tmp_path / "net.caffemodel", made("caffenet"), old=True, bare=True)

    def space(said):
        (tmp_path / "net.prototxt").write_text(PROTOTXT.replace("mean_value: 104", f"{said} mean_value: 104"))
        return caffe_file.read(tmp_path / "net.caffemodel").input_space

    white = space("scale: 0.5")(torch.ones(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(white, torch.tensor([(255 - mean) * 0.5 for mean in (104, 117, 123)]))
    with pytest.raises(UserError, match="its scale 0"):
        space("scale: 0")


def test_a_damaged_prototxt_is_told(tmp_path):
    write_classic(tmp_path / "net.caffemodel", made("caffenet"), old=False, bare=True)
    (tmp_path / "net.prototxt").write_text("layer { name: 3")
    with pytest.raises(UserError, match=r"net.prototxt holds no network .*1:"):
        caffe_file.read(tmp_path / "net.caffemodel")


def test_a_mean_picture_lies_beside_it(tmp_path):
    picture = 255 * torch.rand(3, 5, 4)
    (tmp_path / "mean.binaryproto").write_bytes(blob(picture[None], old=True))
    transform = field(4, b"/home/someone/data/mean.binaryproto")
    write_classic(tmp_path / "net.caffemodel", made("caffenet"), old=False, transform=transform)
    space = caffe_file.read(tmp_path / "net.caffemodel").input_space
    images = torch.rand(2, 3, 5, 4)
    torch.testing.assert_close(space(images), 255 * images.flip(1) - picture, rtol=0, atol=1e-4)
    (tmp_path / "mean.binaryproto").write_bytes(b"\x00")
    with pytest.raises(UserError, match="mean.binaryproto holds no mean picture"):
        caffe_file.read(tmp_path / "net.caffemodel")
    (tmp_path / "mean.binaryproto").unlink()
    assert caffe_file.read(tmp_path / "net.caffemodel").input_space is None


def test_words_that_are_no_text_do_no_harm(tmp_path):
    """Which protobuf hands over as bytes."""
    weight = (
        field(1, b"conv\xff") + field(7, blob(torch.ones(2), old=False)) + field(100, field(4, b"\xfe.binaryproto"))
    )
    (tmp_path / "net.caffemodel").write_bytes(field(100, weight))
    assert caffe_file.read(tmp_path / "net.caffemodel").state.keys() == {"conv\N{REPLACEMENT CHARACTER}.weight"}


@pytest.mark.parametrize("shape", [(), (0, 1 << 40)])
def test_odd_shapes_do_no_harm(tmp_path, shape):
    dims = field(7, field(1, b"".join(varint(side) for side in shape)))
    values = field(5, struct.pack("<f", 0.5)) if not shape else b""
    (tmp_path / "net.caffemodel").write_bytes(field(100, field(1, b"fc8") + field(7, values + dims)))
    if shape:
        with pytest.raises(UserError, match="fc8.weight has shape"):
            caffe_file.read(tmp_path / "net.caffemodel")
    else:
        assert caffe_file.read(tmp_path / "net.caffemodel").state["fc8.weight"].tolist() == [0.5]
