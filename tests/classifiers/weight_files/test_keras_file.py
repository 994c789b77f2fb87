import zipfile

import h5py
import numpy as np
import pytest
import torch
from vgg_files import by_layer, keras_arrays, narrow, write_keras

from genviz.classifiers.weight_files import keras_file
from genviz.classifiers.weight_files.oxford import FIRST_FILTERS
from genviz.errors import UserError

LAYOUTS = {
    "keras 1": "{0}/{0}_{1}_1:0",
    "keras 2": "{0}/{0}/{1}:0",
    "keras 3": "{0}/{0}/{1}",
    "a whole model": "model_weights/{0}/{0}/{1}:0",
    "a model in a model": "model_weights/vgg16/{0}/{1}:0",
}


@pytest.fixture(scope="module")
def network():
    return narrow()


def assert_holds(path, network):
    """The file is this network's, to the last bit."""
    found = keras_file.read(path)
    expected = by_layer(network)
    assert found.keys() == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}
    assert keras_file.names(path) == found.keys()
    for name, (weight, bias) in expected.items():
        assert torch.equal(found[f"{name}.weight"], weight), name
        assert torch.equal(found[f"{name}.bias"], bias), name


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout_with_names(tmp_path, network, layout):
    write_keras(tmp_path / "vgg16.h5", keras_arrays(network), layout)
    assert_holds(tmp_path / "vgg16.h5", network)


def write_numbered(path, arrays, *, named=False, separator="/"):
    """As Keras 3 writes ``.weights.h5``: layers go by their class and place; from 3.9 on, the name is an attribute."""
    counts = {4: 0, 2: 0}
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in arrays.items():
            kind, number = {4: "conv2d", 2: "dense"}[kernel.ndim], counts[kernel.ndim]
            counts[kernel.ndim] += 1
            group = file.create_group(f"layers{separator}{kind}{f'_{number}' if number else ''}/vars")
            group["0"], group["1"] = kernel, bias
            if named:
                group.attrs["name"] = name
        for place in range(3):
            file[f"optimizer/vars/{place}"] = np.zeros((3, 3, 3, 4)[place:])


@pytest.mark.parametrize("separator", ["/", "\\"])
@pytest.mark.parametrize("named", [False, True])
def test_keras_3_without_names_goes_by_the_layers_places(tmp_path, network, named, separator):
    path = tmp_path / "vgg16.weights.h5"
    write_numbered(path, keras_arrays(network), named=named, separator=separator)
    assert_holds(path, network)


def test_names_win_over_places(tmp_path, network):
    arrays = dict(reversed(keras_arrays(network).items()))
    write_numbered(tmp_path / "vgg16.weights.h5", arrays, named=True)
    assert_holds(tmp_path / "vgg16.weights.h5", network)


def test_a_keras_archive(tmp_path, network):
    write_numbered(tmp_path / "inner.h5", keras_arrays(network))
    with zipfile.ZipFile(tmp_path / "vgg16.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "inner.h5", "model.weights.h5")
    assert_holds(tmp_path / "vgg16.keras", network)


def test_half_precision_becomes_single(tmp_path, network):
    halves = {name: (kernel.astype("f2"), bias.astype("f2")) for name, (kernel, bias) in keras_arrays(network).items()}
    write_keras(tmp_path / "vgg16.h5", halves)
    found = keras_file.read(tmp_path / "vgg16.h5")
    assert {value.dtype for value in found.values()} == {torch.float32}


def test_without_the_dense_layers(tmp_path, network):
    arrays = {name: pair for name, pair in keras_arrays(network).items() if name.startswith("block")}
    write_keras(tmp_path / "vgg16_notop.h5", arrays)
    assert keras_file.names(tmp_path / "vgg16_notop.h5") == keras_file.read(tmp_path / "vgg16_notop.h5").keys()
    assert not any(name.startswith("fc") for name in keras_file.read(tmp_path / "vgg16_notop.h5"))


def test_ones_own_layers_keep_their_names(tmp_path, network):
    arrays = keras_arrays(network) | {"flowers": (np.ones((12, 5), "f4"), np.ones(5, "f4"))}
    write_keras(tmp_path / "vgg16.h5", arrays)
    assert keras_file.read(tmp_path / "vgg16.h5")["flowers.weight"].shape == (5, 12)


# Theano's order


@pytest.mark.parametrize(
    ("name", "backend", "turned"),
    [
        ("vgg16_weights_th_dim_ordering_th_kernels.h5", None, True),
        ("vgg16_weights_th_dim_ordering_tf_kernels.h5", None, False),
        ("mine.h5", b"theano", True),
        ("mine.h5", "tensorflow", False),
    ],
)
def test_theanos_order_is_known_by_shape_and_its_kernels_by_name_or_backend(tmp_path, network, name, backend, turned):
    write_keras(tmp_path / name, keras_arrays(network, theano=True, turned=turned))
    if backend is not None:
        with h5py.File(tmp_path / name, "a") as file:
            file.attrs["backend"] = backend
    assert_holds(tmp_path / name, network)


def test_theanos_kernels_of_unknown_use_are_refused(tmp_path, network):
    write_keras(tmp_path / "mine.h5", keras_arrays(network, theano=True))
    with pytest.raises(UserError, match=r"180 degrees for Theano is unknown; rename it \.\.\._th_kernels"):
        keras_file.read(tmp_path / "mine.h5")


@pytest.mark.parametrize("turned", [False, True])
def test_oxfords_first_filter_says_how_theano_used_it(tmp_path, turned):
    network = narrow()
    network.features[0].weight.data[0] = torch.tensor(FIRST_FILTERS["vgg16"]).view(3, 3, 3)
    arrays = keras_arrays(network, theano=True, turned=turned)
    write_keras(tmp_path / "vgg16_weights.h5", dict(enumerate(arrays.values())), "layer_{0}/param_{1}")
    assert_holds(tmp_path / "vgg16_weights.h5", network)


@pytest.mark.parametrize("told", [{"backend": "theano"}, {"model_config": '{"data_format": "channels_first"}'}])
def test_a_later_network_with_the_channels_first_is_refused_with_dense_layers_alone(tmp_path, network, told):
    arrays = keras_arrays(network)
    for kept in (arrays, {name: pair for name, pair in arrays.items() if name.startswith("block")}):
        write_keras(tmp_path / "vgg16.h5", kept)
        with h5py.File(tmp_path / "vgg16.h5", "a") as file:
            file.attrs.update(told)
        if kept is arrays:
            with pytest.raises(UserError, match="the order in which it flattens them is unknown"):
                keras_file.read(tmp_path / "vgg16.h5")
        else:
            assert len(keras_file.read(tmp_path / "vgg16.h5")) == 26


# What is no such file


def _twice(path, network):
    write_keras(path, keras_arrays(network))
    with h5py.File(path, "a") as file:
        file["other/block1_conv1/W"], file["other/block1_conv1/b"] = np.ones((3, 3, 3, 4)), np.ones(4)


def _half(path, network):
    write_keras(path, keras_arrays(network))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _other_archive(path, network):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path, network: path.write_bytes(b""), "holds no weights that can be read"),
        (lambda path, network: path.write_bytes(b"no HDF5 at all"), "holds no weights that can be read"),
        (_half, "holds no weights that can be read"),
        (_other_archive, "holds no weights that can be read.*model.weights.h5"),
        (_twice, "more than one layer conv1_1"),
    ],
)
def test_another_file_is_one_clear_line(tmp_path, network, write, says):
    write(tmp_path / "vgg16.h5", network)
    for look in (keras_file.read, keras_file.names):
        with pytest.raises(UserError, match=says) as caught:
            look(tmp_path / "vgg16.h5")
        assert "\n" not in str(caught.value)
