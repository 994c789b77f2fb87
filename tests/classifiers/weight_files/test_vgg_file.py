import numpy as np
import pytest
import torch
import torchvision
from classic_files import Cell, write_v5
from safetensors.torch import save_file
from vgg_files import SIDE, by_layer, keras_arrays, narrow, write_caffe, write_keras

from genviz.classifiers.weight_files import vgg_file
from genviz.classifiers.weight_files.oxford import FIRST_FILTERS
from genviz.errors import UserError


@pytest.fixture(scope="module")
def network():
    return narrow()


def _torch(path, network, dense):
    torch.save({name: v for name, v in network.state_dict().items() if dense or name.startswith("features")}, path)


def _safetensors(path, network, dense):
    save_file({name: v for name, v in network.state_dict().items() if dense or name.startswith("features")}, path)


def _keras(path, network, dense):
    arrays = keras_arrays(network)
    write_keras(path, {name: pair for name, pair in arrays.items() if dense or name.startswith("block")})


def _caffe(path, network, dense, old=False):
    layers = by_layer(network)
    write_caffe(path, {name: pair for name, pair in layers.items() if dense or name.startswith("conv")}, old=old)


def _old_caffe(path, network, dense):
    _caffe(path, network, dense, old=True)


def _matconvnet(path, network, dense):
    layers = Cell()
    for name, (weight, bias) in by_layer(network).items():
        kernel = weight if weight.ndim == 4 else weight.view(len(weight), -1, *(2 * [SIDE if name == "fc6" else 1]))
        if dense or name.startswith("conv"):
            weights = Cell([kernel.numpy().transpose(2, 3, 1, 0), bias.numpy()[:, None]])
            layers.append({"type": "conv", "name": name, "weights": weights})
    write_v5(path, {"layers": layers})


WRITERS = [
    ("vgg.pth", _torch),
    ("vgg.safetensors", _safetensors),
    ("vgg.h5", _keras),
    ("vgg.HDF5", _keras),
    ("vgg.caffemodel", _caffe),
    ("old.caffemodel", _old_caffe),
    ("vgg.mat", _matconvnet),
]


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_the_same_network_from_every_form(tmp_path, network, name, write, dense):
    write(tmp_path / name, network, dense)
    found = vgg_file.load(tmp_path / name)
    expected = {name: v for name, v in network.state_dict().items() if dense or name.startswith("features")}
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(found.state[name], value) for name, value in expected.items())
    assert found.has_dense_layers == vgg_file.has_dense_layers(tmp_path / name) == dense


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_the_input_space_is_that_of_the_program_that_wrote_the_file(tmp_path, network, name, write):
    write(tmp_path / name, network, False)
    space = vgg_file.load(tmp_path / name).input_space
    if write in (_torch, _safetensors):
        assert space is None
    else:
        means = [-103.939, -116.779, -123.68]  # MatConvNet has red first
        means = means[::-1] if write is _matconvnet else means
        assert space(torch.zeros(1, 3, 1, 1)).flatten().tolist() == pytest.approx(means)


@pytest.mark.parametrize(("turned", "channels"), [(False, "BGR"), (True, "RGB")])
def test_oxfords_numbers_tell_the_input_space_of_a_state_dict(tmp_path, turned, channels):
    network = narrow()
    own = torch.tensor(FIRST_FILTERS["vgg16"]).view(3, 3, 3)
    network.features[0].weight.data[0] = own.flip(0) if turned else own
    _torch(tmp_path / "vgg.pth", network, True)
    assert vgg_file.load(tmp_path / "vgg.pth").input_space.channels == channels


def test_dense_layers_that_are_no_numbers_are_none(tmp_path, network):
    """Torchvision's IMAGENET1K_FEATURES."""
    state = {name: v * float("nan") if name.startswith("c") else v for name, v in network.state_dict().items()}
    torch.save(state, tmp_path / "vgg.pth")
    assert len(vgg_file.load(tmp_path / "vgg.pth").state) == 26
    assert not vgg_file.has_dense_layers(tmp_path / "vgg.pth")


def test_whether_there_are_dense_layers_is_known_without_reading_the_numbers(tmp_path, network):
    path = tmp_path / "vgg.pth"
    _torch(path, network, True)
    content = path.read_bytes()
    place = content.index(network.features[28].weight.detach().numpy().tobytes())
    path.write_bytes(content[:place] + b"\x01" + content[place + 1 :])
    assert vgg_file.has_dense_layers(path)
    with pytest.raises(UserError, match="checksum"):
        vgg_file.load(path)


def test_the_names_of_earlier_torchvisions(tmp_path, network):
    """As jcjohnson/pytorch-vgg has Caffe's VGG16 and VGG19."""
    earlier = {"classifier.0": "classifier.1", "classifier.3": "classifier.4"}
    state = {
        f"{earlier.get(module, module)}.{kind}": value
        for (module, _, kind), value in ((name.rpartition("."), value) for name, value in network.state_dict().items())
    }
    torch.save(state, tmp_path / "vgg.pth")
    found = vgg_file.load(tmp_path / "vgg.pth").state
    assert found.keys() == network.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


def test_a_dense_layer_of_ones_own_stands_for_fc8(tmp_path, network):
    layers = by_layer(network)
    layers["fc8_flowers"] = layers.pop("fc8")
    write_caffe(tmp_path / "vgg.caffemodel", layers, old=False)
    assert torch.equal(
        vgg_file.load(tmp_path / "vgg.caffemodel").state["classifier.6.weight"], layers["fc8_flowers"][0]
    )


def test_dense_layers_of_ones_own_on_the_convolutions_are_left_out(tmp_path, network):
    arrays = {name: pair for name, pair in keras_arrays(network).items() if name.startswith("block")}
    write_keras(tmp_path / "vgg.h5", arrays | {"dense": (np.ones((8, 5), "f4"), np.ones(5, "f4"))})
    assert not vgg_file.load(tmp_path / "vgg.h5").has_dense_layers
    assert not vgg_file.has_dense_layers(tmp_path / "vgg.h5")


def test_dense_layers_as_convolutions(tmp_path, network):
    """As fully convolutional networks have them."""
    layers = by_layer(network)
    weight, bias = layers["fc6"]
    layers["fc6"] = weight.view(-1, 8, 7, 7), bias
    write_caffe(tmp_path / "vgg.caffemodel", layers, old=False)
    assert torch.equal(vgg_file.load(tmp_path / "vgg.caffemodel").state["classifier.0.weight"], weight)


@pytest.mark.parametrize("architecture", vgg_file.ARCHITECTURES)
def test_convolutions_have_the_places_that_torchvision_gives_them(tmp_path, architecture):
    with torch.device("meta"):
        network = torchvision.models.get_model(architecture, init_weights=False)
    thin = {name: torch.rand(value.shape[:1] + (1,) * (value.ndim - 1)) for name, value in network.state_dict().items()}
    expected = {name: value for name, value in thin.items() if name.startswith("features")}
    for name, value in expected.items():
        network.get_submodule(name.rpartition(".")[0])._parameters[name.rpartition(".")[2]] = torch.nn.Parameter(value)
    convolutions = {name: pair for name, pair in by_layer(network).items() if name.startswith("conv")}
    write_caffe(tmp_path / "vgg.caffemodel", convolutions, old=False)
    found = vgg_file.load(tmp_path / "vgg.caffemodel").state
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def _without_block_3(path, network):
    write_caffe(path, {name: pair for name, pair in by_layer(network).items() if "conv3" not in name}, old=False)


def _with_batch_norm(path, network):
    write_caffe(path, by_layer(network) | {"bn1_1": (torch.ones(4), torch.ones(4))}, old=False)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (
            lambda path, network: None,
            "there is no weights file .*takes a .pth, .safetensors, .h5, .keras, .caffemodel or .mat",
        ),
        (_without_block_3, "is not a VGG: its convolutions are conv1_1, conv1_2, conv2_1, conv2_2, conv4_1"),
        (lambda path, network: write_caffe(path, {"ip1": by_layer(network)["fc8"]}, old=True), "convolutions are none"),
        (_with_batch_norm, "not a VGG without batch norm: its layer bn1_1"),
    ],
)
def test_what_is_no_vgg_is_one_clear_line(tmp_path, network, write, says):
    path = tmp_path / "vgg.caffemodel"
    write(path, network)
    with pytest.raises(UserError, match=says) as caught:
        vgg_file.load(path)
    assert "\n" not in str(caught.value)


def test_keras_batch_norm_is_no_vggs(tmp_path, network):
    write_keras(tmp_path / "vgg.h5", keras_arrays(network) | {"bn": (np.ones(4, "f4"), np.ones(4, "f4"))})
    with pytest.raises(UserError, match="its layer bn is neither"):
        vgg_file.load(tmp_path / "vgg.h5")
