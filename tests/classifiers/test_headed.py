import json
import math
import shutil
import zlib

import pytest
import torch
import vgg_files
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from genviz import files
from genviz.classifiers import headed
from genviz.classifiers.headed import HEADS, TRUNK, HeadedClassifier
from genviz.classifiers.heads import Heads, HeadsFile, Join, Shape
from genviz.classifiers.outline import build
from genviz.classifiers.torchvision import TorchvisionClassifier, drawn
from genviz.classifiers.tracing.taps import look
from genviz.errors import DamagedInstallationError, UserError
from genviz.files import SHIPPED, intact, shipped
from genviz.images.pictures import read_image
from genviz.training.naming import classifier_name as build_classifier_name


@pytest.fixture(scope="module")
def embedded():
    return HeadedClassifier(input_size=64)


@pytest.fixture
def image():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def a_whole_vgg16(path):
    """A file of all of VGG16 with the convolutions that come with genviz; its dense layers are a hole, zeros."""
    convolutions = load_file(shipped(TRUNK))
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in build("vgg16", 1000, 224, initialize=False).state_dict().items()}
    header, end = {}, 0
    for name in (*convolutions, *(name for name in shapes if name not in convolutions)):
        begin, end = end, end + 2 * math.prod(shapes[name])
        header[name] = {"dtype": "F16", "shape": list(shapes[name]), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in convolutions.values():
            file.write(value.contiguous().numpy().tobytes())
        file.truncate(8 + len(text) + end)
    return path


def test_it_is_vgg16_up_to_pool5(embedded, image, tmp_path):
    path = str(a_whole_vgg16(tmp_path / "whole.safetensors"))
    whole = TorchvisionClassifier(architecture="vgg16", weights=path, input_size=64)
    same = HeadedClassifier(weights=path, input_size=64)  # a whole VGG16 brings its own class scores
    assert same.weights_source == whole.weights_source == "whole.safetensors"
    assert same.outline == whole.outline
    assert not same(image, ["scores"])["scores"].any()  # the dense layers are zeros
    layers = [layer.name for layer in whole.outline.layers if layer.name.startswith(("conv", "relu", "pool"))][:31]
    assert layers[0] == "conv1_1"
    assert layers[-1] == "pool5"
    ours, theirs = embedded(image, layers), whole(image, layers)
    assert all(torch.equal(ours[layer], theirs[layer]) for layer in layers)
    assert [layer.name for layer in embedded.outline.layers][:31] == layers
    assert embedded.outline.layers[:31] == whole.outline.layers[:31]  # torchvision's names and the shapes, too


def test_convolutions_of_ones_own_get_the_heads(embedded, image, tmp_path):
    path = tmp_path / "notop.h5"
    arrays = {}
    for layer in embedded.outline.layers:
        if layer.name.startswith("conv"):
            convolution = embedded.network.get_submodule(layer.module)
            kernel = convolution.weight.permute(2, 3, 1, 0).contiguous()
            arrays[vgg_files.keras_name(layer.name)] = (kernel.numpy(), convolution.bias.numpy())
    vgg_files.write_keras(path, arrays)
    classifier = HeadedClassifier(weights=str(path), input_size=64)
    assert classifier.weights_source.startswith("layers up to pool5 are of notop.h5; class scores by ")
    torch.testing.assert_close(classifier(image, ["scores"])["scores"], embedded(image, ["scores"])["scores"])


def test_convolutions_that_are_not_oxfords_are_refused(tmp_path):
    state = {name: 1.01 * value.float() for name, value in load_file(shipped(TRUNK)).items()}
    save_file(state, tmp_path / "others.safetensors")
    with pytest.raises(UserError, match="others.safetensors does not have Oxford's convolutions, on which the heads"):
        HeadedClassifier(weights=str(tmp_path / "others.safetensors"), input_size=64)


def test_a_whole_vgg16_by_its_name_has_its_own_class_scores():
    assert HeadedClassifier.sketch(weights="IMAGENET1K_V1") == TorchvisionClassifier.sketch(architecture="vgg16")
    assert HeadedClassifier.sketch(weights="IMAGENET1K_FEATURES", input_size=64).head == "heads"


def test_its_convolutions_are_the_files(embedded):
    for name, value in load_file(shipped(TRUNK)).items():
        assert torch.equal(embedded.network.get_parameter(name), value.float())


def test_its_scores_are_the_heads_mean(embedded, image):
    seen = embedded(image, ["pool5", "scores"])
    known = HeadsFile.read(shipped(HEADS))
    torch.testing.assert_close(seen["scores"], known.load(shipped(HEADS))(seen["pool5"]))
    assert seen["scores"].shape == (1, 1000)


def test_it_says_what_is_vgg16s_and_what_is_ours(embedded):
    begins, ends = "layers up to pool5 are VGG16's; class scores by ", " distilled from EfficientNet-Lite0"
    assert embedded.weights_source.startswith(begins)
    assert embedded.weights_source.endswith(ends)


def test_what_it_has_shipped_is_what_was_recorded():
    for name in SHIPPED:
        intact(name)


@pytest.mark.slow
def test_it_sees_what_the_pictures_show(embedded, data):
    whole = HeadedClassifier(input_size=128)
    pictures = sorted((data / "siamese").glob("*.jpg"))[:10]
    with torch.no_grad():
        found = [int(whole(read_image(picture), ["scores"])["scores"].argmax()) for picture in pictures]
    assert found.count(284) >= 8  # Siamese cats


@pytest.fixture
def own(tmp_path):
    """Heads for three classes on two layers of a SqueezeNet with random weights."""
    shapes = (Shape(128 + 256, 3, hidden=4), Shape(128 + 256, 3))
    digest = drawn("squeezenet1_1", 3, 224).sha256
    known = HeadsFile(shapes, "squeezenet1_1", ("fire3", "fire5"), digest, {"scale": 2.0}, 64, {})
    path, labels = tmp_path / "own.safetensors", tmp_path / "labels.txt"
    torch.manual_seed(0)
    known.write(Heads(shapes), path)
    labels.write_text("a\nb\nc\n")
    return {"heads": str(path), "labels": str(labels), "weights": "random"}


def test_heads_of_ones_own_on_another_network(own, image):
    classifier = HeadedClassifier(**own)
    trunk = build("squeezenet1_1", 3, 224, initialize=False)
    trunk.load_state_dict(drawn("squeezenet1_1", 3, 224).state)
    maps = look(trunk, image * 2, ["features.4", "features.7"])
    known = HeadsFile.read(headed._path(own["heads"]))
    expected = known.load(headed._path(own["heads"]))(Join()(*maps.values()))
    seen = classifier(image, ["scores", "fire5"])
    torch.testing.assert_close(seen["scores"], expected)
    torch.testing.assert_close(seen["fire5"], maps["features.7"])
    names = [layer.name for layer in classifier.outline.layers]
    assert "fire6" not in names
    assert names[-5:] == ["heads.0.hidden", "heads.0.relu", "heads.0.classes", "heads.1.classes", "scores"]
    assert classifier.receptive_side("fire5") is not None


def test_heads_and_weights_of_ones_own_have_folders_of_their_own(compose):
    def folder(*words):
        return build_classifier_name(compose("target=class:1", "classifier=embedded", *words))

    assert folder() == "embedded"
    assert folder("classifier.heads=some/mine.safetensors") == "embedded-mine"
    assert folder("classifier.weights=some/vgg16.h5", "classifier.heads=mine.safetensors") == "embedded-mine-vgg16"


def test_a_part_of_it_can_be_changed(own, image):
    classifier = HeadedClassifier(**own)
    scores = classifier(image, ["scores"])["scores"]
    torch.testing.assert_close(classifier.through(image, "fire3", lambda part: part), scores)
    assert not torch.allclose(classifier.through(image, "fire3", torch.zeros_like), scores)
    assert classifier.outline.head == "heads"


def test_other_weights_than_the_heads_were_trained_on_are_refused(own, monkeypatch):
    monkeypatch.setattr(headed, "find", lambda *_: drawn("squeezenet1_1", 3, 224)._replace(sha256="1" * 64))
    with pytest.raises(UserError, match=r"trained on weights of squeezenet1_1 .* classifier.weights=FILE"):
        HeadedClassifier(**{**own, "weights": "default"})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": None}, "the heads have 3 classes but there are 1000 labels"),
        ({"heads": "missing.safetensors"}, "there is no file missing.safetensors"),
        ({"input_size": 0}, "must be a number of pixels"),
        ({"input_size": 8}, "too small"),
        ({"weights": 5}, "must be a name"),
    ],
)
def test_what_cannot_work_is_one_line(own, changes, says):
    with pytest.raises(UserError, match=says):
        HeadedClassifier(**{**own, **changes})


def test_a_layer_that_there_is_not_is_named(own):
    with pytest.raises(UserError, match="squeezenet1_1 has no layer fire77"):
        headed.cut("squeezenet1_1", ["fire77"], [Shape(1, 1)])


@pytest.mark.parametrize("name", [TRUNK, HEADS])
@pytest.mark.parametrize("missing", [True, False])
def test_a_damaged_installation_says_which_hash_is_expected(name, missing, tmp_path, monkeypatch):
    for file in (TRUNK, HEADS):
        shutil.copy(shipped(file), tmp_path)
    path = tmp_path / name
    if missing:
        path.unlink()
    else:
        content = bytearray(path.read_bytes())
        content[-1000] ^= 1
        path.write_bytes(content)
    monkeypatch.setattr(files, "shipped_folder", lambda _: tmp_path)
    intact.cache_clear()
    with pytest.raises(UserError, match=f"{name}, which comes with genviz, is (missing|damaged).*{SHIPPED[name]}"):
        HeadedClassifier()
    intact.cache_clear()


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("missing", [True, False])
def test_the_hash_and_the_way_back_are_said_in_full(name, missing, tmp_path, monkeypatch):
    if not missing and "." in name:
        (tmp_path / name).write_bytes(b"damaged")
    monkeypatch.setattr(files, "shipped_folder", lambda _: tmp_path)
    intact.cache_clear()
    with pytest.raises(DamagedInstallationError) as error:
        intact(name)
    intact.cache_clear()
    assert SHIPPED[name] in str(error.value)
    assert str(error.value).endswith(f"git checkout -- checkpoints/{name}")
    assert "…" not in str(error.value)


@pytest.mark.slow
def test_the_files_are_small_enough_to_ship():
    """A wheel of 64 MB holds them, compressed as wheels are."""
    files = (
        file for name in SHIPPED for file in (shipped(name).iterdir() if shipped(name).is_dir() else [shipped(name)])
    )
    assert sum(len(zlib.compress(file.read_bytes())) for file in files) < 63e6
    with safe_open(shipped(TRUNK), "pt") as file:
        assert len(file.keys()) == 26


def test_random_weights_are_the_same_every_time(own):
    first, second = HeadedClassifier(**own), HeadedClassifier(**own)
    assert first.weights_sha256 == second.weights_sha256
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert isinstance(first.network, nn.Module)
