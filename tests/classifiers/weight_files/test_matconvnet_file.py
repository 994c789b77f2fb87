import numpy as np
import pytest
import torch
from classic_files import COLOUR, NORM, Cell, dagnn, made, simplenn, write_v5, write_v73

from genviz.classifiers.mean_picture import MeanPicture
from genviz.classifiers.weight_files import matconvnet_file
from genviz.errors import UserError


@pytest.fixture(scope="module")
def network():
    return made("vgg_m")


FORMS = {
    "simplenn": simplenn,
    "beta": lambda network: simplenn(network, first=True),
    "dagnn": dagnn,
    "in net": lambda network: {"net": simplenn(network)},
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_every_form_holds_the_same_network(tmp_path, network, write, form):
    write(tmp_path / "net.mat", FORMS[form](network))
    found = matconvnet_file.read(tmp_path / "net.mat")
    expected = network.state_dict()
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(found.state[name], value) for name, value in expected.items())
    assert found.norms == {"norm1": pytest.approx(NORM), "norm2": pytest.approx(NORM)}
    assert found.order[:5] == ("conv1", "relu1", "norm1", "pool1", "conv2")
    assert found.input_space.settings == {"channels": "RGB", "scale": 255.0, "mean": [*COLOUR], "std": [1, 1, 1]}


def test_a_kernel_computes_what_matconvnet_does(tmp_path):
    """vl_nnconv: y(i, j, k) = b(k) + sum f(u, v, c, k) x(i + u, j + v, c), by hand."""
    draw = np.random.default_rng(0)
    filters, biases = draw.normal(size=(2, 3, 3, 4)).astype("f4"), draw.normal(size=(1, 4)).astype("f4")
    layer = {"name": "conv1", "type": "conv", "weights": Cell([filters, biases])}
    write_v5(tmp_path / "net.mat", {"layers": Cell([layer, layer | {"name": "conv2"}])})
    state = matconvnet_file.read(tmp_path / "net.mat").state
    x = draw.normal(size=(5, 6, 3)).astype("f4")
    images = torch.from_numpy(x.transpose(2, 0, 1))[None]
    maps = torch.conv2d(images, state["conv1.weight"], state["conv1.bias"])[0].numpy()
    by_hand = biases[0, 2] + (filters[:, :, :, 2] * x[1:3, 2:5]).sum()
    assert maps[2, 1, 2] == pytest.approx(by_hand, abs=1e-5)


@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_a_mean_picture_is_subtracted_pixel_by_pixel(tmp_path, network, write):
    picture = np.random.default_rng(0).uniform(0, 255, (6, 5, 3)).astype("f4")
    write(tmp_path / "net.mat", simplenn(network, picture))
    space = matconvnet_file.read(tmp_path / "net.mat").input_space
    assert isinstance(space, MeanPicture)
    images = torch.rand(1, 3, 6, 5)
    expected = 255 * images - torch.from_numpy(picture.transpose(2, 0, 1))
    torch.testing.assert_close(space(images), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("mean", [np.array([[1.0], [np.nan], [3.0]]), np.full((6, 5, 3), np.inf)])
def test_a_mean_of_no_numbers_is_one_line(tmp_path, network, mean):
    write_v5(tmp_path / "net.mat", simplenn(network, mean))
    with pytest.raises(UserError, match="averageImage has values that are no numbers"):
        matconvnet_file.read(tmp_path / "net.mat")


def test_without_a_mean_or_settings_of_a_normalization_there_are_none(tmp_path, network):
    tree = simplenn(network, np.zeros((0, 0)))
    for layer in tree["layers"]:
        layer.pop("param", None)
    write_v5(tmp_path / "net.mat", tree)
    found = matconvnet_file.read(tmp_path / "net.mat")
    assert found.input_space is None
    assert not found.norms


def test_layers_without_names_have_a_kind_and_a_number(tmp_path, network):
    write_v5(tmp_path / "net.mat", simplenn(network, names=False))
    assert matconvnet_file.read(tmp_path / "net.mat").weighted[:2] == ["conv1", "conv5"]


def _layer(**fields):
    return {"layers": Cell([{"name": "conv1", "type": "conv"} | fields, {"name": "relu1", "type": "relu"}])}


ONE = Cell([np.ones((1, 1))])
FLAT_MEAN = {"meta": {"normalization": {"averageImage": np.ones((2, 2))}}}
UNKNOWN = {
    "layers": [{"name": "a", "params": "w"}, {"name": "b", "params": ""}],
    "params": [{"name": "v"}, {"name": "u"}],
}


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"x": np.ones((2, 2))}, r"\(it holds x, and no layers\)"),
        (_layer(), "no layers with weights"),
        (_layer(weights=Cell(["code"])), "conv1.weight is no array"),
        (_layer(weights=Cell([np.ones((1, 1, 1, 1, 2)), np.ones((1, 2))])), "5 dimensions"),
        (_layer(type="lrn", param=np.ones((1, 3)), weights=ONE), "conv1 has param"),
        (_layer(type="lrn", param=np.full((1, 4), np.nan), weights=ONE), "conv1 has param"),
        (_layer(weights=ONE) | FLAT_MEAN, "averageImage"),
        (UNKNOWN, "a has no parameter w"),
    ],
)
def test_what_is_no_network_is_one_clear_line(tmp_path, tree, says):
    write_v5(tmp_path / "net.mat", tree)
    with pytest.raises(UserError, match=says) as caught:
        matconvnet_file.read(tmp_path / "net.mat")
    assert "\n" not in str(caught.value)


def test_a_layer_without_a_bias_has_none(tmp_path):
    write_v5(tmp_path / "net.mat", _layer(weights=Cell([np.ones((1, 1)), np.zeros((0, 0))])))
    assert matconvnet_file.read(tmp_path / "net.mat").state.keys() == {"conv1.weight"}
