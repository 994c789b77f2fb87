import pytest
import torch
from conftest import TinyClassifier
from PIL import Image

from genviz.errors import UserError
from genviz.objectives.caricature import Caricature
from genviz.objectives.content import Content
from genviz.objectives.cosine import Cosine
from genviz.objectives.inversion import Inversion
from genviz.objectives.reference import Reference
from genviz.objectives.style import Style
from genviz.targets.grammar import parse_target


class Kept(Reference):
    """Keeps what is seen, in a size of its own."""

    layers = ("relu1",)

    def forward(self, seen):
        return torch.zeros(len(seen["relu1"]))

    def fit(self, size):
        return size[0] + 1, size[1] - 1


class Open(TinyClassifier):
    """Sees images in their own size."""

    def __init__(self):
        super().__init__()
        self.outline = self.outline._replace(resizes=False)

    def forward(self, images, layers):
        return {"relu1": self.conv(images).relu()}


def test_a_file_and_its_tensor_are_the_same_picture(tmp_path):
    Image.new("RGB", (12, 12), (200, 100, 0)).save(tmp_path / "a.png")
    seen = []
    for image in (str(tmp_path / "a.png"), torch.tensor([200, 100, 0]).view(1, 3, 1, 1).expand(1, 3, 12, 12) / 255):
        objective, classifier = Kept(image), TinyClassifier()
        objective.remember(classifier, (99, 99))
        seen.append(objective.wanted["relu1"])
        assert torch.equal(seen[-1], classifier(objective.picture, ["relu1"])["relu1"])
        assert not seen[-1].requires_grad
    assert torch.equal(*seen)


def test_a_classifier_that_does_not_resize_sees_the_picture_in_the_size_that_fits():
    objective = Kept(torch.rand(1, 3, 12, 12))
    objective.remember(Open(), (40, 60))
    assert objective.wanted["relu1"].shape[2:] == (41 - 2, 59 - 2)


def test_a_home_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.new("RGB", (5, 4)).save(tmp_path / "a.png")
    assert Kept("~/a.png").picture.shape == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("image", "says"),
    [(None, "say which picture: image=FILE"), ("", "say which picture"), (3, "say which picture"),
     ("/nowhere.png", "no such file"), ("broken.png", "cannot read the picture broken.png"), (".", "cannot read")],
)  # fmt: skip
def test_what_is_no_picture_is_one_line(tmp_path, monkeypatch, image, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=says) as caught:
        Kept(image)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [Caricature, Content, Inversion, Style])
def test_what_is_remembered_goes_where_the_classifier_goes(kind):
    """A picture is looked at before the training moves all to its device; `meta` is another one on any machine."""
    classifier = TinyClassifier()
    target = parse_target("layer:relu1", classifier.outline.labels, classifier.outline.layers)
    objective = kind(target, classifier.outline, image=torch.rand(1, 3, 12, 12))
    objective.remember(classifier, (12, 12))
    objective.to("meta")
    seen = {"relu1": torch.rand(2, 4, 10, 10, device="meta", requires_grad=True)}
    objective(seen).sum().backward()
    assert objective(seen).device.type == "meta"
    assert all(value.device.type == "meta" for value in objective.measure(seen).values())


@pytest.mark.parametrize("kind", [Content, Cosine, Inversion, Caricature])
def test_an_image_whose_size_changes_on_the_way_is_one_line(kind):
    classifier = Open()
    objective = kind(
        parse_target("layer:relu1", (), classifier.outline.layers), classifier.outline, image=torch.rand(1, 3, 12, 12)
    )
    objective.remember(classifier, (12, 12))
    objective(classifier(torch.rand(2, 3, 12, 12), ["relu1"]))
    with pytest.raises(UserError, match="relu1 is 4 x 10 x 10 for the picture and 4 x 14 x 14 for the image"):
        objective(classifier(torch.rand(2, 3, 16, 16), ["relu1"]))


@pytest.mark.parametrize(("kind", "settings"), [(Content, {"relative": True}), (Cosine, {}), (Inversion, {})])
def test_a_unit_that_is_silent_in_the_picture_is_one_line(kind, settings):
    classifier = Open()
    with torch.no_grad():
        classifier.conv.bias[2] = -100
    target = parse_target("filter:relu1:2", (), classifier.outline.layers)
    objective = kind(target, classifier.outline, image=torch.rand(1, 3, 12, 12), **settings)
    with pytest.raises(UserError, match="filter:relu1:2 is all 0 for the picture, nothing to compare with"):
        objective.remember(classifier, (12, 12))
