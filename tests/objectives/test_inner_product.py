import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.images.pictures import read_upright
from genviz.interfaces import Layer, Outline
from genviz.objectives.inner_product import InnerProduct
from genviz.objectives.kept import Kept
from genviz.objectives.sum import Sum
from genviz.targets.grammar import parse_target


@pytest.fixture(scope="module")
def network():
    return SmallClassifier(weights="random", input_size=32)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, a broken one and a file that is none."""
    draw = np.random.default_rng(0)
    for name in ("a.png", "b.jpg", "deep/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def made(network, text, **settings):
    target = parse_target(text, network.outline.labels, network.outline.layers)
    return InnerProduct(target, network.outline, **settings)


def response(layer, text, n):
    """What a unit does, written out: a channel's mean, a neuron's number, a class's score, a layer's mean."""
    kind, *rest = text.split(":")
    if kind == "filter":
        values = layer[n, int(rest[1])].flatten().tolist()
        return sum(values) / len(values)
    if kind == "neuron":
        return layer[n, int(rest[1]), int(rest[2]), int(rest[3])].item()
    if kind == "class":
        return layer[n, int(rest[0])].item()
    return sum(layer[n].flatten().tolist()) / layer[n].numel()


@pytest.mark.parametrize(
    ("text", "layer", "side"),
    [("filter:relu2_1:3", "relu2_1", 8), ("neuron:relu1_1:2:5:6", "relu1_1", 3), ("class:593", "scores", 32),
     ("layer:relu2_1", "relu2_1", 8), ("filter:pool1:3", "pool1", 4)],
)  # fmt: skip
def test_it_is_the_response_over_m_and_the_squared_side_of_the_field(network, text, layer, side):
    """Mahendran & Vedaldi 2016, Eq. 4 with their code's Z; 3, then 2 pixels more, then 2 of stride 2 make 8."""
    objective = made(network, text, largest=7.0, weight=1e4)
    objective.remember(network, (32, 30))
    torch.manual_seed(0)
    seen = network(torch.rand(2, 3, 32, 32), objective.layers)
    for n, score in enumerate(Sum({"inner_product": objective})(seen)):
        wanted = 1e4 * response(seen[layer], text, n) / (7 * side**2)
        assert score.item() == pytest.approx(wanted, rel=1e-4)
        assert objective.measure(seen)["activation"][n].item() == pytest.approx(7 * side**2 * wanted / 1e4, rel=1e-4)


def test_a_groups_units_have_each_their_own_m_field_and_weight(network, folder):
    objective = made(network, "filter:relu1_1:3@2+filter:relu2_1:5@-0.5", pictures=str(folder))
    objective.remember(network, (32, 32))
    torch.manual_seed(0)
    seen = network(torch.rand(1, 3, 32, 32), objective.layers)
    total = 0.0
    for text, layer, side, weight in (
        ("filter:relu1_1:3", "relu1_1", 3, 2.0),
        ("filter:relu2_1:5", "relu2_1", 8, -0.5),
    ):
        largest = max(
            response(network(read_upright(folder / name), [layer])[layer], text, 0)
            for name in ("a.png", "b.jpg", "deep/c.webp")
        )
        total += weight * response(seen[layer], text, 0) / (largest * side**2)
    assert objective(seen).item() == pytest.approx(total, rel=1e-4)


def test_m_is_the_largest_response_to_the_folders_pictures_and_a_given_one_comes_first(network, folder):
    objective = made(network, "filter:relu2_1:3", pictures=str(folder))
    objective.remember(network, (32, 32))
    each = [network(read_upright(folder / name), ["relu2_1"])["relu2_1"] for name in ("a.png", "b.jpg", "deep/c.webp")]
    responses = [response(layer, "filter:relu2_1:3", 0) for layer in each]
    assert objective.largest.items()[0][1].item() == pytest.approx(max(responses), rel=1e-4)
    assert len(set(responses)) == 3
    given = made(network, "filter:relu2_1:3", pictures=str(folder), largest=5.0)
    given.remember(network, (32, 32))
    assert given.largest.items()[0][1].item() == 5
    without = made(network, "filter:relu2_1:3")
    without.remember(network, (32, 32))
    assert without.largest.items()[0][1].item() == 1


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("as_file", [False, True])
def test_a_direction_is_in_the_channels_or_in_the_whole_layer(network, tmp_path, whole, as_file):
    torch.manual_seed(0)
    direction = torch.randn(48, 16, 16) if whole else torch.randn(48)
    np.save(tmp_path / "d.npy", direction.numpy())
    given = str(tmp_path / "d.npy") if as_file else direction
    objective = made(network, "layer:relu2_1", direction=given, largest=3.0)
    objective.remember(network, (32, 32))
    seen = network(torch.rand(2, 3, 32, 32), objective.layers)
    for n in range(2):
        layer, total = seen["relu2_1"][n].double(), 0.0
        for channel in range(48):
            for row in range(16):
                for column in range(16):
                    part = direction[channel, row, column] if whole else direction[channel] / 256
                    total += float(part) * float(layer[channel, row, column])
        assert objective(seen)[n].item() == pytest.approx(total / (3 * 8**2), rel=1e-3)
        assert objective.measure(seen)["inner product with the direction"][n].item() == pytest.approx(total, rel=1e-3)
    assert not objective.ranked
    assert made(network, "layer:relu2_1").ranked


def test_a_classes_direction_is_in_the_scores(network):
    torch.manual_seed(0)
    direction = torch.randn(1000)
    objective = made(network, "class:3", direction=direction)
    objective.remember(network, (32, 32))
    scores = network(torch.rand(2, 3, 32, 32), ["scores"])
    torch.testing.assert_close(objective(scores), scores["scores"] @ direction / 32**2)


@pytest.mark.parametrize("text", ["filter:conv2_1:3@2+7@-1", "neuron:conv1_1:2:5:6", "layer:conv2_1", "direction"])
def test_the_gradient_is_right(network, text):
    torch.manual_seed(0)
    settings = {"direction": torch.randn(4)} if text == "direction" else {}
    objective = made(network, "layer:conv2_1" if settings else text, **({"largest": 2.0} if not settings else {}))
    if settings:
        objective.direction = settings["direction"].double()
    size = 4 if settings else 48
    seen = {"conv2_1": torch.randn(1, size, 3, 3, dtype=torch.float64, requires_grad=True)}
    seen |= {"conv1_1": torch.randn(1, 4, 7, 7, dtype=torch.float64, requires_grad=True)}
    layer = objective.layers[0]
    assert torch.autograd.gradcheck(lambda values: objective({layer: values}), seen[layer])


@pytest.mark.parametrize("shape", [(47,), (48, 16), (48, 16, 15), (1, 48), (), (16, 16, 48)])
def test_a_direction_of_a_wrong_shape_is_one_line(network, tmp_path, shape):
    np.save(tmp_path / "d.npy", np.ones(shape, dtype=np.float32))
    for given in (str(tmp_path / "d.npy"), torch.ones(shape)):
        with pytest.raises(UserError, match=r"relu2_1 takes \(48,\) or \(48, 16, 16\)") as caught:
            made(network, "layer:relu2_1", direction=given)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["filter:relu2_1:3", "layer:relu1_1+relu2_1", "neuron:relu2_1:1:1:1", "class:1+2"])
def test_a_direction_is_in_one_layer(network, text):
    with pytest.raises(UserError, match="target=layer:NAME"):
        made(network, text, direction=torch.ones(48))


def test_a_file_that_is_no_direction_is_one_line(network, tmp_path):
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_text("1, 2, 3")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.savez(tmp_path / "several.npz", np.ones(48))
    for name in ("empty.npy", "text.npy", "objects.npy", "words.npy", "several.npz", "none.npy", "."):
        with pytest.raises(UserError, match="give a .npy"):
            made(network, "layer:relu2_1", direction=str(tmp_path / name))
    with pytest.raises(UserError, match="give a .npy"):
        made(network, "layer:relu2_1", direction=7)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"largest": 0.0}, "above 0"), ({"largest": -1.0}, "above 0"), ({"pictures": "/nowhere"}, "no such folder")]
)  # fmt: skip
def test_settings_that_mean_nothing_are_one_line(network, settings, says):
    with pytest.raises(UserError, match=says):
        made(network, "class:1", **settings).remember(network, (32, 32))


def test_a_unit_that_no_picture_moves_says_what_to_do(network, folder):
    objective = made(network, "layer:relu2_1", direction=-torch.ones(48), pictures=str(folder))
    with pytest.raises(UserError, match="give others, or objective.inner_product.largest="):
        objective.remember(network, (32, 32))


def test_a_direction_in_channels_that_are_unknown_has_to_state_them():
    outline = Outline((), (Layer("a", "0", (6, 4, 6), axis=None),), {}, (8, 8))

    def direction(text, *shape):
        return InnerProduct(parse_target(text, (), outline.layers), outline, direction=torch.ones(shape))

    direction("layer:a", 6, 4, 6)
    with pytest.raises(UserError, match=r"say which: a/1 or a/2 or a/3"):
        direction("layer:a", 6)
    assert direction("layer:a/2", 4).layers == ("a/2",)


def test_an_unknown_m_is_told(network):
    with pytest.warns(UserWarning, match="the largest response to real pictures, is unknown and taken to be 1"):
        made(network, "class:1").remember(network, (32, 32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(network, "class:1", largest=2.0).remember(network, (32, 32))
        made(network, "class:1", direction=torch.ones(1000)).remember(network, (32, 32))


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_units_gap_in_a_batch_has_no_say(network, order):
    """A target without a unit in a layer is given its first filter, which may be 0 in all pictures."""
    texts = ["filter:relu1_1:3", "filter:relu2_1:5"][order]
    targets = [parse_target(text, network.outline.labels, network.outline.layers) for text in texts]
    objective = InnerProduct(targets, network.outline)
    objective.largest = Kept(
        {units: torch.zeros_like(units.weights).where(~units.full, 2.0) for units in objective.targets}
    )
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    seen = network(images, objective.layers)
    for layer in seen.values():
        layer.data[:, 0] = 0
    objective(seen).sum().backward()
    assert images.grad.isfinite().all()
