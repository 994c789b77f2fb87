"""Torchvision's classification models, frozen, without softmax."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import AUTO, OXFORD_MEAN, InputSpace, caffe, input_space_of
from genviz.classifiers.labels import Labels, read_labels
from genviz.classifiers.outline import build, check_resize, sketch, without_weights
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.weight_files.state_dict import fitted
from genviz.classifiers.weight_files.weights import (
    DEFAULT,
    RANDOM,
    Weights,
    differences,
    entry,
    find,
    fingerprint,
    has_entries,
    misfits,
    not_finite,
)
from genviz.errors import UserError
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Outline

_RANDOM_SEED = 0


class TorchvisionClassifier(FrozenClassifier):
    """A torchvision model, frozen.

    Args:
        architecture: torchvision's name, ``vgg16``.
        weights: ``default``, one of torchvision's entries (``IMAGENET1K_V2``), a ``.pth`` or ``.safetensors`` file (for
            a VGG also Keras' ``.h5`` or ``.keras``, Caffe's ``.caffemodel`` or MatConvNet's ``.mat``), or ``random``.
        input_space: ``torchvision`` (RGB, the normalization of torchvision's weights), ``caffe`` (BGR, 0-255 minus the
            mean), the arguments of `InputSpace`, or ``auto``: what a VGG's Keras, Caffe or MatConvNet file says,
            Caffe's for Oxford's weights, otherwise torchvision's.
        input_size: side of the square input, or rows and columns, in pixels; None for that of torchvision's weights.
            Images of another size are resized to it (bilinear, antialiased).
        labels: None for ImageNet's 1,000; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size. Layers that need the network's own size then cannot be read.

    Raises:
        UserError: there is no such model, or the weights are not available or do not fit.
    """

    def __init__(
        self,
        *,
        architecture: str,
        weights: str = DEFAULT,
        input_space: str | Mapping[str, Any] = AUTO,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
    ) -> None:
        settings = {"weights": weights, "input_size": input_size, "labels": labels, "resize": resize}
        outline = self.sketch(architecture=architecture, **settings)
        space = _asked(input_space, architecture, weights)
        network, found = _network(architecture, outline, weights)
        super().__init__(
            network,
            outline,
            space or found.input_space or _torchvisions(architecture, weights),
            weights_source=found.source,
            weights_sha256=found.sha256,
            architecture=architecture,
        )

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        architecture, weights = settings.get("architecture"), settings.get("weights", DEFAULT)
        input_size, labels = settings.get("input_size"), settings.get("labels")
        names = {"architecture": architecture, "weights": weights}
        for name, value in names.items():
            if not isinstance(value, str):
                raise UserError(f"classifier.{name}={value} must be a name")
        if input_size is not None:
            input_size = size_of(input_size)
        named = None if labels is None else read_labels(labels)
        outline = sketch(architecture, weights=weights, input_size=input_size, labels=named)
        return outline._replace(resizes=check_resize(settings))


def _network(architecture: str, outline: Outline, name: str) -> tuple[nn.Module, Weights]:
    classes, size = len(outline.labels), outline.input_size
    found = drawn(architecture, classes, size) if name == RANDOM else find(architecture, name)
    network = without_weights(architecture, classes, size)
    fill(network, found, architecture)
    if any(value.is_meta for value in (*network.parameters(), *network.buffers())):  # buffers that no file holds
        network = build(architecture, classes, size, initialize=False)
        fill(network, found, architecture)
    return network, found


def drawn(architecture: str, classes: int, size: Size) -> Weights:
    """Random weights, the same for every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_RANDOM_SEED)
        state = build(architecture, classes, size, initialize=True).state_dict()
    return Weights(state, RANDOM, fingerprint(state))


def fill(network: nn.Module, found: Weights, architecture: str, without: str | None = None) -> None:
    """Load the weights ``found`` into ``network``, all or part of torchvision's ``architecture``.

    Args:
        without: prefix of the modules, on top of part of a network, that have weights of their own; weights beyond that
            part are then ignored.

    Raises:
        UserError: the weights are another network's.
    """
    wanted = {key: value for key, value in network.state_dict().items() if not key.startswith(without or "\0")}
    given = fitted(found.state, [key for key in wanted if not key.endswith("num_batches_tracked")], found.source)
    missing = [key for key in wanted if key not in given and not key.endswith("num_batches_tracked")]
    parts = {key.partition(".")[0] for key in wanted}  # others may lie beside it: a loss, heads for training only
    unexpected = [
        key for key in given if key not in wanted and not without and (missing or key.partition(".")[0] in parts)
    ]
    misshapen = misfits(wanted, given)
    if len(misshapen) == 1 and misshapen[0].startswith("encoder.pos_embedding"):
        raise UserError(
            f"{found.source} is of {architecture} for pictures of another size ({misshapen[0]}); give the side that it "
            "was trained at: classifier.input_size=N"
        )
    if missing or unexpected or misshapen:
        raise UserError(
            f"{found.source} does not fit {architecture} ({differences(misshapen, missing, unexpected)}); "
            "name the network that the weights belong to, and its labels if its classes differ: classifier.labels=FILE"
        )
    counts = {
        key: torch.zeros((), dtype=torch.long) for key in wanted if key not in given
    }  # num_batches_tracked, which nothing reads
    given = {
        key: (value.float() if value.is_floating_point() else value) for key, value in given.items() if key in wanted
    }
    state = OrderedDict(counts | given)
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined]  # MNASNet asks for its version
    network.load_state_dict(state, strict=False, assign=True)
    if names := not_finite(network):
        raise UserError(f"{found.source} holds weights that are not finite, which cannot classify: {names[0]}")


def _asked(space: str | Mapping[str, Any], architecture: str, weights: str) -> InputSpace | None:
    """The input space that ``space`` names; None if the weights decide."""
    if space == AUTO:
        return None
    if space == "torchvision":
        return _torchvisions(architecture, weights)
    if space == "caffe" and architecture.startswith("vgg"):
        return caffe(OXFORD_MEAN)
    return input_space_of(space, AUTO, "torchvision")


def _torchvisions(architecture: str, weights: str) -> InputSpace:
    known = entry(architecture, weights) or (entry(architecture, DEFAULT) if has_entries(architecture) else None)
    if known is None:
        return InputSpace(mean=IMAGENET_MEAN, std=IMAGENET_STD)
    normalization = known.transforms()
    return InputSpace(mean=normalization.mean, std=normalization.std)
