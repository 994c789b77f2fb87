"""A VGG16 from the files that hold it, as the classifier that a user gets."""

import pytest
import torch
from safetensors.torch import save_file
from vgg_files import CLASSES, by_layer, keras_arrays, narrow, write_caffe, write_keras

from genviz.classifiers import torchvision as module
from genviz.classifiers.torchvision import TorchvisionClassifier
from genviz.classifiers.weight_files.oxford import FIRST_FILTERS
from genviz.errors import UserError
from genviz.interfaces import SCORES


def classifier(architecture="squeezenet1_1", **settings):
    return TorchvisionClassifier(**{"architecture": architecture, "weights": "random", "input_size": 64, **settings})


@pytest.fixture
def vgg16(tmp_path, monkeypatch):
    """A VGG16 of a few channels, and how a file of one becomes a classifier."""
    (tmp_path / "labels.txt").write_text("\n".join(f"class {number}" for number in range(CLASSES)))
    monkeypatch.setattr(module, "without_weights", lambda *settings: narrow(seed=1))

    def made(file, **settings):
        return classifier("vgg16", weights=str(tmp_path / file), labels=str(tmp_path / "labels.txt"), **settings)

    return narrow(), made


def write_all(folder, network):
    torch.save(network.state_dict(), folder / "torch.pth")
    save_file(network.state_dict(), folder / "torch.safetensors")
    write_keras(folder / "keras1.h5", keras_arrays(network))
    write_keras(folder / "keras2.h5", keras_arrays(network), "model_weights/{0}/{0}/{1}:0")
    write_keras(folder / "th_kernels.h5", keras_arrays(network, theano=True))
    write_caffe(folder / "caffe.caffemodel", by_layer(network), old=False)
    write_caffe(folder / "caffe1.caffemodel", by_layer(network), old=True)
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".txt")


def test_the_same_numbers_give_the_same_scores_from_every_file(tmp_path, vgg16):
    network, made = vgg16
    images = torch.rand(2, 3, 64, 64)
    bgr = images.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(3, 1, 1)
    with torch.no_grad():
        expected = network(bgr)
        for file in write_all(tmp_path, network):
            ours = made(file, input_space="caffe")
            torch.testing.assert_close(ours(images, [SCORES])[SCORES], expected, rtol=1e-4, atol=1.0)
            assert ours.weights_source == file


def mean(ours):
    """What the network gets of a black picture."""
    return ours.input_space(torch.zeros(1, 3, 1, 1)).flatten().tolist()


TORCHVISIONS = pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
OXFORDS = pytest.approx([-103.939, -116.779, -123.68])


def test_the_input_space_is_the_files_own_unless_another_is_asked_for(tmp_path, vgg16):
    network, made = vgg16
    for file in write_all(tmp_path, network):
        assert mean(made(file)) == (TORCHVISIONS if file.startswith("torch") else OXFORDS), file
        assert mean(made(file, input_space="auto")) == mean(made(file))
        assert mean(made(file, input_space="torchvision")) == TORCHVISIONS
        assert mean(made(file, input_space={"mean": [1, 2, 3]})) == [-1, -2, -3]


def test_a_state_dict_of_oxfords_numbers_is_known(tmp_path, vgg16):
    network, made = vgg16
    first = torch.tensor(FIRST_FILTERS["vgg16"]).view(3, 3, 3)
    for kernel, expected in ((first, OXFORDS), (first.flip(0), pytest.approx([-123.68, -116.779, -103.939]))):
        network.features[0].weight.data[0] = kernel
        torch.save(network.half().state_dict(), tmp_path / "oxford.pth")
        assert mean(made("oxford.pth")) == expected
        assert mean(made("oxford.pth", input_space="torchvision")) == TORCHVISIONS


def test_caffe_means_the_mean_of_the_network():
    assert mean(classifier(input_space="caffe")) == [-104, -117, -123]


def test_a_vggs_file_of_another_layout_says_which_layer_and_both_shapes(tmp_path, vgg16):
    network, made = vgg16
    arrays, layers = keras_arrays(network), by_layer(network)
    arrays["fc1"] = arrays["fc1"][0][: 8 * 4 * 4], arrays["fc1"][1]  # of pictures of 128 pixels
    write_keras(tmp_path / "small.h5", arrays)
    layers["conv4_2"] = torch.rand(9, 7, 3, 3), torch.rand(9)
    write_caffe(tmp_path / "wide.caffemodel", layers, old=True)
    del layers["fc7"]
    write_caffe(tmp_path / "short.caffemodel", layers, old=True)
    for file, says in {
        "small.h5": r"small.h5 does not fit vgg16.*classifier.0.weight is \(12, 128\), not \(12, 392\)",
        "wide.caffemodel": r"features.19.weight is \(9, 7, 3, 3\), not \(7, 7, 3, 3\)",
        "short.caffemodel": r"missing 2: classifier.3.weight, classifier.3.bias",
    }.items():
        with pytest.raises(UserError, match=says) as caught:
            made(file)
        assert "\n" not in str(caught.value)
