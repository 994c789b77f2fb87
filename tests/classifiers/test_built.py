import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from genviz.classifiers.built import BuiltClassifier
from genviz.errors import UserError


class Network(nn.Module):
    """Some classes, of the mean of a convolution's maps."""

    def __init__(self, classes=5, channels=3):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Linear(4, classes)

    def forward(self, images):
        return self.head(self.relu(self.conv(images)).mean((2, 3)))

    @classmethod
    def named(cls, classes):
        return cls(classes)


class Named(Network):
    def forward(self, *, pixel_values):
        return super().forward(pixel_values)


def numbers():
    return 7


def refuse():
    raise RuntimeError("Unknown model")


def maps():
    return nn.Conv2d(3, 5, 1)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "labels.txt").write_text("a\nb\nc\nd\ne\n")
    return {
        "builder": f"{__name__}:Network", "weights": "random", "own_size": 12, "labels": str(tmp_path / "labels.txt"),
    }  # fmt: skip


def test_it_is_the_network_that_the_builder_makes_with_the_weights_of_the_file(settings, tmp_path):
    torch.manual_seed(3)
    network = Network().eval()
    save_file(network.half().state_dict(), tmp_path / "w.safetensors")
    network.float()
    space = {"scale": 255, "mean": [127] * 3, "std": [128] * 3}
    made = BuiltClassifier(**{**settings, "weights": str(tmp_path / "w.safetensors"), "input_space": space})
    images = torch.rand(2, 3, 12, 12)
    seen = made(images, ["relu", "scores"])
    torch.testing.assert_close(seen["scores"], network((255 * images - 127) / 128))
    assert seen["relu"].shape == (2, 4, 10, 10)
    assert made.weights_source == "w.safetensors"
    assert made.outline == BuiltClassifier.sketch(**settings)
    assert made.outline.labels == tuple("abcde")


def test_a_builder_takes_arguments_and_may_be_a_method(settings):
    made = BuiltClassifier(**{**settings, "builder": f"{__name__}:Network.named", "arguments": {"classes": 5}})
    assert made.outline.labels == tuple("abcde")


def test_a_network_may_take_pictures_by_keyword(settings):
    named, plain = (BuiltClassifier(**{**settings, "builder": f"{__name__}:{name}"}) for name in ("Named", "Network"))
    images = torch.rand(2, 3, 12, 12)
    assert torch.equal(named(images, ["scores"])["scores"], plain(images, ["scores"])["scores"])


def test_random_weights_are_the_same_whatever_the_seed(settings):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = BuiltClassifier(**settings)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert BuiltClassifier(**settings).weights_sha256 == one.weights_sha256


def test_without_a_size_it_sees_its_own(settings):
    assert BuiltClassifier.sketch(**settings).input_size == (12, 12)
    assert BuiltClassifier.sketch(**settings, input_size=20).input_size == (20, 20)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"builder": "numbers"}, "must be of the form package.module:function"),
        ({"builder": "no_such_package.at_all:f", "package": "genviz[teachers]"}, r"pip install genviz\[teachers\]"),
        ({"builder": "./net.py:make"}, "must name a module, package.module:function, not its file"),
        ({"builder": "broken_code:make"}, "is not valid Python"),
        ({"builder": f"{__name__}:refuse"}, "does not take {}: Unknown model"),
        ({"arguments": "tiny"}, "classifier.arguments=tiny must be names and values"),
        ({"input_size": 0}, "must be a number of pixels"),
        ({"builder": "math:no_such"}, "math has no no_such"),
        ({"builder": "math:pi"}, "cannot be called"),
        ({"builder": 3}, "classifier.builder=3 must be a name"),
        ({"builder": f"{__name__}:numbers"}, "returns a int, not a module"),
        ({"builder": f"{__name__}:maps"}, "not class scores"),
        ({"arguments": {"depth": 3}}, "does not take {'depth': 3}"),
        ({"arguments": {"channels": 1}}, "cannot take 12 x 12 pixels"),
        ({"arguments": {"classes": 9}}, "has 9 classes but there are 5 labels"),
        ({"weights": None}, "comes without weights; give classifier.weights=FILE.safetensors"),
        ({"weights": "nowhere.pth"}, "there is no weights file nowhere.pth"),
        ({"input_size": 2}, "cannot take 2 x 2 pixels"),
        ({"input_size": "large"}, "must be a number of pixels"),
        ({"resize": "often"}, "must be true or false"),
        ({"input_space": "auto"}, "classifier.input_space=auto is unknown; it takes caffe, or channels"),
    ],
)  # fmt: skip
def test_what_is_no_classifier_is_one_line(settings, changed, says, tmp_path, monkeypatch):
    (tmp_path / "broken_code.py").write_text("def make(:")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=says) as caught:
        BuiltClassifier(**{**settings, **changed})
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_say_what_is_wrong(settings, tmp_path):
    save_file(Network(classes=4).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=r"head\.weight is \(4, 4\), not \(5, 4\)"):
        BuiltClassifier(**{**settings, "weights": str(tmp_path / "w.safetensors")})


@pytest.mark.parametrize("beside", ["loss.weight", "metric.total", "ema_head.0.bias"])
def test_what_lies_beside_the_network_in_a_checkpoint_is_left_out(settings, tmp_path, beside):
    torch.manual_seed(3)
    network = Network().eval()
    torch.save({"state_dict": {**network.state_dict(), beside: torch.ones(7)}, "epoch": 2}, tmp_path / "run.ckpt")
    made = BuiltClassifier(**{**settings, "weights": str(tmp_path / "run.ckpt")})
    assert torch.equal(made.network.head.weight, network.head.weight)


@pytest.mark.parametrize("more", ["head.1.weight", "conv.weight_g"])
def test_more_layers_inside_its_parts_are_another_network(settings, tmp_path, more):
    save_file({**Network().state_dict(), more: torch.ones(7)}, tmp_path / "w.safetensors")
    with pytest.raises(UserError, match=rf"does not fit.*unexpected 1: {more}"):
        BuiltClassifier(**{**settings, "weights": str(tmp_path / "w.safetensors")})


def test_nothing_in_a_file_of_weights_is_run(settings, tmp_path):
    path = tmp_path / "w.pth"
    torch.save(Trap(tmp_path / "sprung"), path)
    with pytest.raises(UserError, match="no weights that can be read"):
        BuiltClassifier(**{**settings, "weights": str(path)})
    assert not (tmp_path / "sprung").exists()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.slow
@pytest.mark.real
def test_efficientnet_lite0_knows_what_is_on_the_pictures(data, compose):
    """90 and 98 % of these 250; its weights' own account says 89 and 98 % of as many."""
    if "efficientnet_lite_pytorch" not in sys.modules:
        pytest.importorskip("efficientnet_lite_pytorch")
    from genviz.learning.data import Centres, stack
    from genviz.training import build

    config = compose("target=class:1", "classifier=efficientnet_lite0",
                     f"classifier.weights={data}/efficientnet_lite0.safetensors")  # fmt: skip
    classifier = build.classifier(config.classifier)
    paths = sorted((data / "imagenet").glob("*.jpg"))
    numbers = list(range(0, 1000, 20))
    centres = Centres([paths[number] for number in numbers], size=224, shorter=256)
    images = stack([centres[number] for number in range(len(numbers))]).float() / 255
    ranked = classifier(images, ["scores"])["scores"].topk(5).indices.tolist()
    assert sum(row[0] == number for row, number in zip(ranked, numbers, strict=True)) >= 42
    assert sum(number in row for row, number in zip(ranked, numbers, strict=True)) >= 47
