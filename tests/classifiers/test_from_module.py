import pytest
import torch
from torch import nn

from genviz.classifiers.from_module import from_module
from genviz.errors import UserError
from genviz.targets.grammar import parse_target


class Network(nn.Module):
    """Seven classes, with a batch norm and dropout that only stay still in eval mode."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.dropout, self.head = nn.Dropout(), nn.Linear(4, 7)

    def forward(self, images):
        return self.head(self.dropout(self.first(images).mean((2, 3))))


def test_it_computes_what_the_network_computes_of_its_own_input():
    network = Network()
    classifier = from_module(network, input_size=12, mean=(0.1, 0.2, 0.3), std=(2, 3, 4), scale=255)
    images = torch.rand(2, 3, 12, 12)
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([2.0, 3.0, 4.0]).view(3, 1, 1)
    inputs = (255 * images - mean) / std
    network.eval()
    seen = classifier(images, ["first.0", "first.2", "scores"])
    torch.testing.assert_close(seen["scores"], network(inputs), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen["first.0"], network.first[0](inputs), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(seen["first.2"], network.first(inputs), rtol=1e-4, atol=1e-4)
    assert classifier(torch.rand(1, 3, 30, 20), ["first.0"])["first.0"].shape[2:] == (10, 10)


def test_it_is_a_frozen_copy_and_the_network_stays_as_it_is():
    network = Network().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    classifier = from_module(network, input_size=12)
    classifier.train()
    classifier(torch.rand(4, 3, 12, 12), ["scores"])
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not any(parameter.requires_grad for parameter in classifier.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        network.head.bias += 1
    torch.testing.assert_close(classifier.network.head.bias, before["head.bias"])
    assert from_module(network, input_size=12).weights_sha256 != classifier.weights_sha256


def test_its_layers_go_by_its_modules_and_its_classes_by_labels_or_numbers():
    classifier = from_module(Network(), input_size=12, labels=list("abcdefg"))
    names = [layer.name for layer in classifier.outline.layers]
    assert {"first.0", "first.1", "first.2"} <= set(names)
    assert names[-1] == "scores"
    shapes = {layer.name: layer.shape for layer in classifier.outline.layers}
    assert (shapes["first.2"], shapes["scores"]) == ((4, 10, 10), (7,))
    assert classifier.outline.labels == tuple("abcdefg")
    assert from_module(Network(), input_size=12).outline.labels == tuple("0123456")


def test_without_resizing_it_looks_at_images_in_their_own_size():
    classifier = from_module(Network(), input_size=12, resize=False)
    assert classifier(torch.rand(1, 3, 30, 20), ["first.0"])["first.0"].shape[2:] == (28, 18)


@pytest.mark.parametrize(
    ("network", "settings", "says"),
    [(Network(), {"input_size": 2}, "cannot take"), (nn.Conv2d(1, 2, 3), {}, "cannot take"),
     (nn.Sequential(nn.LazyConv2d(4, 3), nn.BatchNorm2d(4)), {}, "call it once"),
     (Network().to("meta"), {}, "meta device"),
     (nn.Conv2d(3, 2, 3), {}, "not class scores"), (Network(), {"labels": ["a"]}, "7 classes but there are 1 labels")],
)  # fmt: skip
def test_what_is_no_classifier_is_one_line(network, settings, says):
    with pytest.raises(UserError, match=says) as caught:
        from_module(network, **{"input_size": 12, **settings})
    assert "\n" not in str(caught.value)


def test_labels_may_be_a_dict_that_names_only_some_of_the_classes():
    classifier = from_module(Network(), input_size=12, labels={0: "cat", 6: "dog"})
    assert classifier.outline.labels == ("cat", "1", "2", "3", "4", "5", "dog")


def test_a_string_is_a_file_of_labels_and_not_its_letters(tmp_path):
    with pytest.raises(UserError, match="cannot read the labels"):
        from_module(Network(), input_size=12, labels="abcdefg")
    (tmp_path / "labels.txt").write_text("\n".join("abcdefg"))
    assert from_module(Network(), input_size=12, labels=tmp_path / "labels.txt").outline.labels == tuple("abcdefg")


def test_weights_that_are_not_finite_are_named():
    network = Network()
    with torch.no_grad():
        network.first[0].weight[1, 0, 0, 0] = float("nan")
    with pytest.raises(UserError, match=r"not finite.*first\.0\.weight"):
        from_module(network, input_size=12)


class Named(nn.Module):
    """Names that collide, that no target can hold, and one module in two places."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.conv_1 = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 1)
        self.s = nn.Module()
        self.s.a, self.s.A = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 5, 1)
        self.scores = nn.Conv2d(5, 6, 1)
        self.act = nn.ReLU()
        self.block = nn.Sequential(self.act, nn.Conv2d(6, 7, 1))
        self.add_module("odd:name,1@", nn.Conv2d(7, 8, 1))
        self.once = nn.Conv2d(8, 8, 1)
        self.alias = self.once
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        x = self.s.A(self.s.a(self.conv_1(self.conv(self.conv(x)))))
        x = self.act(self.block(self.scores(x)))
        return self.head(self.alias(getattr(self, "odd:name,1@")(x)).mean((2, 3)))


def test_every_layer_can_be_named_and_is_the_one_that_was_named():
    network, images = Named(), torch.rand(1, 3, 4, 4)
    classifier = from_module(network, input_size=4, mean=(0, 0, 0), std=(1, 1, 1))
    outline = classifier.outline
    for layer in outline.layers:
        target = parse_target(f"filter:{layer.name}:1", outline.labels, outline.layers)
        assert [unit.layer for unit in target.units] == [layer.name]
    shapes = {layer.name: layer.shape[0] for layer in outline.layers}
    own = {"conv": 3, "conv-1": 3, "conv_1": 4, "s.a": 4, "s.A": 5, "scores_0": 6, "odd_name_1_": 8, "scores": 2}
    assert {name: shapes[name] for name in own} == own
    seen = classifier(images, list(shapes))
    torch.testing.assert_close(seen["conv-1"], network.conv(network.conv(images)))
    torch.testing.assert_close(seen["conv_1"], network.conv_1(seen["conv-1"]))
    torch.testing.assert_close(seen["s.A"], network.s.A(seen["s.a"]))
    torch.testing.assert_close(seen["scores_0"], network.scores(seen["s.A"]))
    torch.testing.assert_close(seen["scores"], network(images))
    assert parse_target("filter:alias:1", outline.labels, outline.layers).layers == ("once",)
    with pytest.raises(UserError, match="may be any of 2 layers: act, act_1"):
        parse_target("filter:block.0:1", outline.labels, outline.layers)
