import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from genviz.classifiers.heads import Head, Heads, HeadsFile, Join, Shape
from genviz.errors import UserError

SHAPES = (
    Shape(4, 5, hidden=6),
    Shape(4, 5, hidden=3, kernel=3),
    Shape(4, 5, hidden=7, pooling="features"),
    Shape(4, 5),
)


def a_file(shapes=SHAPES, **changes):
    known = HeadsFile(shapes, "squeezenet1_1", ("fire2",), "0" * 64, {"scale": 255.0}, 64, {"teacher": "a teacher"})
    return known._replace(**changes)


@pytest.fixture
def features():
    torch.manual_seed(0)
    return torch.randn(2, 4, 3, 5)


def test_scores_of_each_position_are_averaged(features):
    head = Head(Shape(4, 5, hidden=6))
    slow = torch.zeros(2, 5)
    for y in range(3):
        for x in range(5):
            hidden = features[:, :, y, x] @ head.hidden.weight.flatten(1).T + head.hidden.bias
            slow += hidden.relu() @ head.classes.weight.flatten(1).T + head.classes.bias
    torch.testing.assert_close(head(features), slow / 15)


def test_pooled_features_have_no_places(features):
    head = Head(Shape(4, 5, hidden=7, pooling="features"))
    torch.testing.assert_close(head(features), head(features.flip(2, 3)))
    torch.testing.assert_close(head(features), head(features.mean((2, 3), keepdim=True)))


def test_a_kernel_of_three_sees_its_neighbours(features):
    moved = features.flatten(2)[:, :, torch.randperm(15)].unflatten(2, (3, 5))
    for kernel, alike in ((1, True), (3, False)):
        head = Head(Shape(4, 5, hidden=6, kernel=kernel))
        assert torch.allclose(head(features), head(moved), atol=1e-6) == alike


def test_scores_may_be_negative(features):
    """There is no ReLU in a head, which would have no gradient where a class is not seen yet."""
    assert (Heads(SHAPES)(features) < 0).any()


def test_several_heads_are_their_mean(features):
    heads = Heads(SHAPES)
    torch.testing.assert_close(heads(features), torch.stack([head(features) for head in heads]).mean(0))


def test_maps_are_joined_in_the_last_ones_positions(features):
    wide = torch.arange(60.0).view(1, 1, 6, 10).expand(2, 1, 6, 10)
    joined = Join()(wide, features)
    assert joined.shape == (2, 5, 3, 5)
    assert joined[0, 0, 0, 0] == pytest.approx((0 + 1 + 10 + 11) / 4)
    torch.testing.assert_close(joined[:, 1:], features)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (Shape(0, 5), "above 0"),
        (Shape(4, 5, hidden=-1), "above 0"),
        (Shape(4, 5, kernel=2), "kernel must be 1 or 3"),
        (Shape(4, 5, pooling="max"), "scores or features"),
        (Shape(4, 5, kernel=3, pooling="features"), "pooling=features needs kernel=1"),
    ],
)
def test_what_is_no_shape_is_one_line(shape, says):
    with pytest.raises(UserError, match=says):
        Head(shape)


def test_what_is_written_is_read(tmp_path, features):
    known, heads, path = a_file(), Heads(SHAPES), tmp_path / "heads.safetensors"
    known.write(heads, path)
    assert HeadsFile.read(path) == known
    read = known.load(path)
    assert all(value.dtype == torch.half for value in load_file(path).values())
    torch.testing.assert_close(read(features), heads(features), atol=2e-3, rtol=2e-3)
    assert not read.training


def test_it_says_what_made_the_scores():
    assert a_file().origin == "4 heads distilled from a teacher"
    assert a_file(SHAPES[:1]).origin == "a head distilled from a teacher"


def test_what_holds_no_heads_is_one_line(tmp_path):
    path = tmp_path / "heads.safetensors"
    with pytest.raises(UserError, match="there is no file"):
        HeadsFile.read(path)
    for content in (b"", b"not one", b"\x08" + bytes(7) + b"{}      "):
        path.write_bytes(content)
        with pytest.raises(UserError, match="holds no heads"):
            HeadsFile.read(path)
    save_file({"a": torch.zeros(1)}, path, {"genviz": '{"format": "genviz.heads.1", "shapes": [{"color": 1}]}'})
    with pytest.raises(UserError, match="holds no heads"):
        HeadsFile.read(path)


def test_weights_of_other_heads_are_one_line(tmp_path):
    path = tmp_path / "heads.safetensors"
    a_file().write(Heads(SHAPES[:2]), path)
    with pytest.raises(UserError, match="is damaged"):
        HeadsFile.read(path).load(path)
    broken = Heads(SHAPES)
    nn.init.constant_(broken[1].classes.bias, float("nan"))
    a_file().write(broken, path)
    with pytest.raises(UserError, match="not finite"):
        HeadsFile.read(path).load(path)
