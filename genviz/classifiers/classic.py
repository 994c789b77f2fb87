"""The networks of 2012 to 2014 with local response normalization, with weights as their authors published them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from genviz.classifiers.classic_networks import RECIPES, ClassicNetwork
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import AUTO, caffe, input_space_of, rgb
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.outline import check_resize, sketch_network
from genviz.classifiers.sizes import Size
from genviz.classifiers.torchvision import fill
from genviz.classifiers.weight_files import caffe_file, converted_file, matconvnet_file, state_dict
from genviz.classifiers.weight_files.contents import WEIGHT, Contents, fitted
from genviz.classifiers.weight_files.weights import RANDOM, Weights, fingerprint
from genviz.errors import UserError
from genviz.files import sha256
from genviz.interfaces import SCORES, Outline

PUBLISHED = (*matconvnet_file.SUFFIXES, *caffe_file.SUFFIXES)
"""The endings of MatConvNet's and Caffe's files."""

_FORMS = ".mat, .caffemodel, .safetensors or .pth"
_RANDOM_SEED = 0  # weights=random is the same network for every run


class ClassicClassifier(FrozenClassifier):
    """AlexNet, CaffeNet, VGG-F, VGG-M or VGG-S, frozen, without softmax.

    Args:
        architecture: ``alexnet_caffe``, ``caffenet``, ``vgg_f``, ``vgg_m`` or ``vgg_s``.
        weights: MatConvNet's ``.mat``, Caffe's ``.caffemodel``, what ``genviz convert`` made of one, a state dict with
            the layers' names; or ``random``.
        input_space: ``caffe`` (BGR, 0-255 minus the mean), the arguments of `InputSpace`, or ``auto``: what the file
            says, or else Caffe's, with red first for MatConvNet's files.
        input_size: side of the square input, or rows and columns, in pixels; None for the network's own.
        labels: None for ImageNet's 1,000; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size.

    Raises:
        UserError: there is no such network or file, or the weights are another network's.
    """

    def __init__(
        self,
        *,
        architecture: str,
        weights: str | None = None,
        input_space: str | Mapping[str, Any] = AUTO,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
    ) -> None:
        settings = {"weights": weights, "input_size": input_size, "labels": labels, "resize": resize}
        outline = self.sketch(architecture=architecture, **settings)
        assert weights is not None
        asked = None if input_space == AUTO else input_space_of(input_space, AUTO)
        recipe, classes = RECIPES[architecture], len(outline.labels)
        network: nn.Module
        if weights == RANDOM:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_RANDOM_SEED)
                network = ClassicNetwork(recipe, classes)
            found = Weights(network.state_dict(), RANDOM, fingerprint(network.state_dict()), caffe())
        else:
            network, found = loaded(architecture, Path(weights).expanduser(), classes)
        super().__init__(
            network,
            outline,
            asked or found.input_space or caffe(),
            weights_source=found.source,
            weights_sha256=found.sha256,
        )

    def receptive_side(self, layer: str) -> int | None:
        """That of the scores is fc8's, where this has one position, as in the papers."""
        shapes = {known.name: known.shape for known in self.outline.layers}
        is_one = layer == SCORES and shapes["fc8"][1:] == (1, 1)
        return super().receptive_side("fc8" if is_one else layer)

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        architecture, weights = str(settings.get("architecture")), settings.get("weights", RANDOM)
        if architecture not in RECIPES:
            raise UserError(f"classifier.architecture={architecture} is unknown; it takes {', '.join(RECIPES)}")
        if weights is None:
            raise UserError(
                f"{architecture} comes without weights; give classifier.weights=FILE, MatConvNet's .mat, Caffe's "
                ".caffemodel or a .safetensors from genviz convert; to try the program: classifier.weights=random"
            )
        if not isinstance(weights, str):
            raise UserError(f"classifier.weights={weights} must be a name")
        size = settings.get("input_size")
        labels = labels_of("vgg16", settings.get("labels"))
        network = empty(architecture, len(labels))
        outline = sketch_network(network, labels, RECIPES[architecture].input_size if size is None else size)
        return outline._replace(resizes=check_resize(settings))


def loaded(architecture: str, path: Path, classes: int) -> tuple[ClassicNetwork, Weights]:
    """The network of ``architecture`` with the weights in ``path``, its normalizations as the file has them.

    Raises:
        UserError: there is no such file, or its weights are another network's.
    """
    if not path.is_file():
        raise UserError(f"there is no weights file {path}; classifier.weights takes a {_FORMS} file of {architecture}")
    contents = read(path)
    if contents.order and (why := differs(contents, architecture)) is not None:
        others = fitting(contents)
        remedy = f"it fits classifier={others[0]}" if others else f"give a file of {architecture}"
        raise UserError(f"{path} does not fit {architecture}: {why}; {remedy}")
    network = empty(architecture, classes, contents)
    found = Weights(placed(contents, network), path.name, sha256(path), contents.input_space)
    fill(network, found, architecture)
    return network, found


def empty(architecture: str, classes: int, contents: Contents | None = None) -> ClassicNetwork:
    """The network on the meta device, with the normalizations that a file has."""
    with torch.device("meta"):
        return ClassicNetwork(RECIPES[architecture], classes, contents.norms if contents else None)


def placed(contents: Contents, network: nn.Module) -> dict[str, Tensor]:
    """The weights in ``contents`` by the names of the modules of ``network``, as `fitted` finds them."""
    return fitted(contents, {name: tuple(value.shape) for name, value in network.state_dict().items()})


def fitting(contents: Contents) -> list[str]:
    """The classic networks with the layers, the order and the shapes of ``contents``."""
    return [name for name in RECIPES if differs(contents, name) is None]


def differs(contents: Contents, architecture: str) -> str | None:
    """What in a published file is not that of ``architecture``, which may have any number of classes; None if nothing.

    AlexNet and CaffeNet have the same weights and differ by the order of their layers, VGG-M and VGG-S by norm2.
    """
    network = empty(architecture, len(contents.state[f"{contents.weighted[-1]}.{WEIGHT}"]), contents)
    own = dict(network.named_children())
    told = [name for name in dict.fromkeys(contents.order) if name in own]
    for here, there in zip(told, [name for name in own if name in told], strict=True):
        if here != there:
            return f"it has {here} where {architecture} has {there}"
    norms = [name for name, module in own.items() if isinstance(module, nn.LocalResponseNorm)]
    if unknown := [name for name in contents.norms if name not in norms]:
        return f"it has {unknown[0]}, which {architecture} does not have"
    if contents.norms and (missing := [name for name in norms if name not in contents.norms]):
        return f"it has no {missing[0]}, which {architecture} has"
    count = sum(isinstance(module, nn.Conv2d) for module in own.values())
    if len(contents.weighted) != count:
        return f"it has {len(contents.weighted)} layers with weights, not {count}"
    found, wanted = placed(contents, network), network.state_dict()
    for name, value in wanted.items():
        if name not in found:
            return f"it has no {name}, which {architecture} has"
        if found[name].shape != value.shape:
            return f"{name} is {tuple(found[name].shape)}, not {tuple(value.shape)}"
    return next((f"it has {name}, which {architecture} does not have" for name in found if name not in wanted), None)


def published(path: Path) -> Contents:
    """The classic network in MatConvNet's or Caffe's file ``path``; MatConvNet's have red first, whatever they say.

    Raises:
        UserError: it holds no weights.
    """
    if path.suffix.lower() in caffe_file.SUFFIXES:
        return caffe_file.read(path)
    contents = matconvnet_file.read(path)
    return contents._replace(input_space=contents.input_space or rgb())


def read(path: Path) -> Contents:
    """What ``path`` says, in any of the forms that a classic network comes in.

    Raises:
        UserError: it holds no weights.
    """
    suffix = path.suffix.lower()
    if suffix in PUBLISHED:
        return published(path)
    facts = converted_file.read_facts(path) if suffix == converted_file.SUFFIX else None
    state = {name: value for name, value in state_dict.read(path).items() if name != converted_file.PICTURE}
    return Contents(state) if facts is None else Contents(state, (), facts.norms, facts.input_space)
