import argparse

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from genviz.classifiers.torchvision import TorchvisionClassifier, fill
from genviz.classifiers.weight_files.weights import Weights
from genviz.errors import UserError
from genviz.interfaces import SCORES
from genviz.training.loading import load_classifier


def classifier(architecture="squeezenet1_1", **settings):
    return TorchvisionClassifier(**{"architecture": architecture, "weights": "random", "input_size": 64, **settings})


def donor_of_other_weights():
    """Not those of ``weights="random"``, which are one network: a file that is not loaded would leave that."""
    donor = classifier()
    with torch.no_grad():
        for parameter in donor.network.parameters():
            parameter.mul_(1.25).add_(0.01)
    return donor


def test_it_is_torchvisions_model_on_normalized_images():
    ours = classifier()
    images = torch.rand(2, 3, 64, 64)
    normalize = torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(ours(images, [SCORES])[SCORES], ours.network(normalize(images)))


def test_a_network_that_asks_for_its_weights_version(tmp_path):
    torch.manual_seed(0)
    theirs = torchvision.models.mnasnet0_5().eval()
    torch.save(theirs.state_dict(), tmp_path / "mnasnet.pth")
    ours = classifier(
        "mnasnet0_5", weights=str(tmp_path / "mnasnet.pth"), input_space={"mean": [0, 0, 0], "std": [1, 1, 1]}
    )
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(ours(images, [SCORES])[SCORES], theirs(images), rtol=1e-4, atol=1e-4)


def test_caffes_input_space_reaches_the_network():
    ours = classifier(input_space="caffe")
    images = torch.rand(1, 3, 64, 64)
    bgr = images.flip(1) * 255 - torch.tensor([104.0, 117.0, 123.0]).view(3, 1, 1)
    torch.testing.assert_close(ours(images, [SCORES])[SCORES], ours.network(bgr), rtol=1e-4, atol=1e-4)


def test_it_never_leaves_eval_mode_and_takes_no_gradient():
    ours = classifier()
    torch.nn.Sequential(ours).train()
    assert not any(module.training for module in ours.modules())
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    ours(images, [SCORES])[SCORES].sum().backward()
    assert images.grad is not None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in ours.parameters())


def test_an_image_of_another_size_is_resized():
    ours = classifier()
    images = torch.rand(1, 3, 40, 50)
    resized = torch.nn.functional.interpolate(images, (64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(ours(images, ["fire2"])["fire2"], ours(resized, ["fire2"])["fire2"])


def test_every_layer_that_is_listed_can_be_seen_in_its_shape():
    ours = classifier()
    names = [layer.name for layer in ours.outline.layers]
    seen = ours(torch.rand(2, 3, 64, 64), names)
    assert {name: tuple(value.shape) for name, value in seen.items()} == {
        layer.name: (2, *layer.shape) for layer in ours.outline.layers
    }


@pytest.mark.parametrize(
    "architecture",
    ["vit_b_16", "swin_t", "convnext_tiny", pytest.param("maxvit_t", marks=pytest.mark.slow), "inception_v3"],
)
def test_layers_of_other_families_have_their_listed_shapes(architecture):
    ours = classifier(architecture, input_size=None)
    layers = ours.outline.layers[:: max(1, len(ours.outline.layers) // 25)]
    with torch.no_grad():
        seen = ours(torch.rand(1, 3, *ours.outline.input_size), [layer.name for layer in layers])
    for layer in layers:
        assert tuple(seen[layer.name].shape) == (1, *layer.shape), layer


def test_random_weights_are_the_same_network_whatever_the_seed():
    torch.manual_seed(1)
    first = classifier()
    before = torch.get_rng_state()
    second = classifier()
    assert first.weights_sha256 == second.weights_sha256
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_weights_from_a_file(tmp_path, suffix, wrapped):
    donor = donor_of_other_weights()
    state = {f"module.{k}" if wrapped else k: v.half().contiguous() for k, v in donor.network.state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": state} if wrapped else state, path)
    else:
        save_file(state, path)
    loaded = classifier(weights=str(path))
    wanted = {name: value.half().float() for name, value in donor.network.state_dict().items()}
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    assert next(loaded.parameters()).dtype == torch.float32
    assert loaded.weights_source == path.name
    assert len(loaded.weights_sha256) == 64


@pytest.mark.parametrize("architecture", ["googlenet", "inception_v3"])
def test_second_heads_in_a_file_are_left_out_and_torchvisions_own_scaling_is_on(tmp_path, architecture):
    full = torchvision.models.get_model(architecture, weights=None, aux_logits=True, init_weights=False)
    torch.save(full.state_dict(), tmp_path / "weights.pth")
    loaded = classifier(architecture, weights=str(tmp_path / "weights.pth"), input_size=None)
    assert loaded.network.transform_input


def test_a_network_of_other_classes_with_its_labels(tmp_path):
    (tmp_path / "labels.txt").write_text("healthy\nill\n")
    network = torchvision.models.resnet18(num_classes=2)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    ours = classifier("resnet18", weights=str(tmp_path / "weights.pth"), labels=str(tmp_path / "labels.txt"))
    assert ours(torch.rand(1, 3, 64, 64), [SCORES])[SCORES].shape == (1, 2)


class Harmful:
    """What a pickle can do."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('the file ran code')",))


def _wrong_network(path):
    torch.save(torchvision.models.squeezenet1_1(num_classes=7).state_dict(), path)


def _not_finite(path):
    torch.save({k: v * float("nan") for k, v in torchvision.models.squeezenet1_1().state_dict().items()}, path)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "there is no weights file"),
        (lambda path: path.write_bytes(b""), "holds no weights that can be read"),
        (lambda path: path.write_bytes(b"not a checkpoint at all"), "holds no weights that can be read"),
        (lambda path: torch.save(Harmful(), path), "holds no weights that can be read"),
        (lambda path: torch.save([1, 2], path), "holds no state dict"),
        (lambda path: torch.save({"a": 1}, path), "holds no state dict"),
        (lambda path: torch.save({"a": torch.ones(1)}, path), "does not fit squeezenet1_1.*missing"),
        (_wrong_network, "of another shape"),
        (_not_finite, "not finite"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_without_these_weights_is_one_clear_line(tmp_path, write, says, suffix):
    path = tmp_path / f"weights{suffix}"
    write(path)
    says = says if suffix == ".pth" or "there is no" in says else "holds no weights that can be read"
    with pytest.raises(UserError, match=says) as caught:
        classifier(weights=str(path))
    assert "\n" not in str(caught.value)


def test_an_unknown_input_space_is_one_clear_line():
    with pytest.raises(UserError, match="auto, torchvision, caffe, or"):
        classifier(input_space="yuv")
    with pytest.raises(UserError, match="takes channels, scale, mean and std"):
        classifier(input_space={"gamma": 2.2})


@pytest.mark.parametrize("prefix", ["model.", "net._orig_mod.", "module."])
def test_a_checkpoint_of_lightning_with_a_name_as_lightning_gives_it(tmp_path, prefix):
    donor = donor_of_other_weights()
    state = {prefix + name: value for name, value in donor.network.state_dict().items()}
    state["loss.weight"] = torch.ones(3)
    path = tmp_path / "epoch=3-step=100 (ä).ckpt"
    settings = argparse.Namespace(rate=0.1)
    torch.save(
        {"state_dict": state, "hyper_parameters": settings, "epoch": 3, "pytorch-lightning_version": "2.6"}, path
    )
    loaded = load_classifier("squeezenet1_1", weights=path, input_size=64)
    wanted = donor.network.state_dict()
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, wanted[name]), name


def test_weights_for_another_size_say_so(tmp_path):
    class Embedded(nn.Module):
        def __init__(self, places):
            super().__init__()
            self.encoder = nn.ParameterDict({"pos_embedding": torch.zeros(1, places, 4)})

    found = Weights(Embedded(5).state_dict(), "vit.pth", "0" * 64)
    with pytest.raises(UserError, match="for pictures of another size .*classifier.input_size=N"):
        fill(Embedded(3), found, "vit_b_16")


def test_another_networks_layer_is_named_with_both_shapes(tmp_path):
    """Of VGG19's weights, most have names and shapes of VGG16's."""
    with torch.device("meta"):
        state = torchvision.models.vgg19(weights=None).state_dict()
    saved = {key: torch.zeros(1).expand(value.shape) for key, value in state.items()}  # of no size on the disk
    torch.save(saved, tmp_path / "vgg19-dcbb9e9d.pth")
    with pytest.raises(UserError) as error:
        TorchvisionClassifier(architecture="vgg16", weights=str(tmp_path / "vgg19-dcbb9e9d.pth"))
    told = str(error.value)
    assert "features.19.weight is (512, 256, 3, 3), not (512, 512, 3, 3)" in told
    assert told.endswith("classifier.labels=FILE")
