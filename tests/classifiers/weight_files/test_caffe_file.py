import struct

import pytest
import torch
from vgg_files import blob, by_layer, field, narrow, write_caffe

from genviz.classifiers.weight_files import caffe_file
from genviz.errors import UserError


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_both_versions_hold_the_layers_by_name(tmp_path, old, double):
    expected = by_layer(narrow())
    write_caffe(tmp_path / "vgg.caffemodel", expected, old=old, double=double)
    found = caffe_file.read(tmp_path / "vgg.caffemodel")
    assert found.keys() == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}
    for name, (weight, bias) in expected.items():
        assert torch.equal(found[f"{name}.weight"], weight), name
        assert torch.equal(found[f"{name}.bias"], bias), name


def test_what_is_not_read_does_no_harm(tmp_path):
    """A gradient beside the numbers, a field of the future, a bias of one number."""
    weight = blob(torch.arange(6.0).view(2, 3), old=True) + field(6, struct.pack("<6f", *range(6))) + field(99, b"?")
    layer = field(4, b"fc8") + field(6, weight) + field(6, blob(torch.ones(1), old=True)) + field(77, 1)
    (tmp_path / "vgg.caffemodel").write_bytes(field(2, layer))
    found = caffe_file.read(tmp_path / "vgg.caffemodel")
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
