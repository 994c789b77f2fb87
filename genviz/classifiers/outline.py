"""What is known about a classifier without its weights: labels, layers and input size.

It is enough to reject a wrong target before anything is downloaded or loaded.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
import torchvision
from torch import nn

from genviz.classifiers.labels import labels_of
from genviz.classifiers.names import paper_names
from genviz.classifiers.taps import INPUT, trace
from genviz.classifiers.weights import DEFAULT, entry, has_entries
from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer, Outline
from genviz.targets.labels import nearest

_WEIGHING = (nn.Linear, nn.Conv2d)
_PASSIVE = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.Dropout, nn.Flatten, nn.Identity)


def architectures() -> list[str]:
    """The names of torchvision's classification models."""
    return torchvision.models.list_models(module=torchvision.models)


@lru_cache
def sketch(
    architecture: str,
    *,
    weights: str = DEFAULT,
    input_size: int | None = None,
    labels: str | tuple[str, ...] | None = None,
) -> Outline:
    """The outline of torchvision's ``architecture``, traced on the meta device, which costs no arithmetic.

    Args:
        architecture: torchvision's name, ``vgg16``.
        weights: as for `TorchvisionClassifier`; only their input size matters here.
        input_size: in pixels; None for that of the weights, or of torchvision's default weights.
        labels: None for ImageNet's 1,000, a file of them, or the labels.

    Raises:
        UserError: there is no such model or labels file, or the model cannot take that size.
    """
    if architecture not in (names := architectures()):
        likely = nearest(architecture, names)
        raise UserError(
            f"torchvision has no classification model called '{architecture}'"
            + (f"; nearest: {', '.join(likely)}" if likely else "")
            + "; all of them: genviz classifiers"
        )
    names_of_classes = labels_of(architecture, labels)
    size = _size_of(architecture, weights) if input_size is None else input_size
    if size < 1:
        raise UserError(f"classifier.input_size={size} must be a number of pixels")
    try:
        network = without_weights(architecture, len(names_of_classes), size)
        traced = trace(network, size)
    except (RuntimeError, AssertionError, ValueError) as error:
        why = str(error).splitlines()[0][:100]
        raise UserError(
            f"{architecture} cannot take {size} x {size} pixels ({why}); classifier.input_size=null uses its own size"
        ) from error
    return _outline(architecture, traced, paper_names(architecture, network), names_of_classes, size)


def sketch_network(
    network: nn.Module,
    labels: tuple[str, ...],
    size: int,
    *,
    architecture: str = "",
    named: Mapping[str, str] | None = None,
) -> Outline:
    """The outline of a ``network`` on the meta device.

    Args:
        size: side of its input, in pixels.
        architecture: torchvision's name, if the order of some layers' dimensions depends on it.
        named: the papers' layer names by module name; None if the modules already have them.

    Raises:
        UserError: it cannot take pictures of ``size`` by ``size`` pixels.
    """
    try:
        traced = trace(network, size)
    except RuntimeError as error:
        why = str(error).splitlines()[0][:100]
        raise UserError(
            f"classifier.input_size={size} is too small for the network ({why}); null uses its own size"
        ) from error
    return _outline(architecture, traced, named or {}, labels, size)


def _outline(
    architecture: str,
    traced: list[tuple[str, nn.Module, tuple[int, ...]]],
    named: Mapping[str, str],
    labels: tuple[str, ...],
    size: int,
) -> Outline:
    """The outline of a ``traced`` network.

    Args:
        architecture: torchvision's name; '' for other networks.
        traced: by `genviz.classifiers.taps.trace`.
        named: the papers' layer names by module name.
        size: side of the traced input, in pixels.
    """
    layers, preactivations = [], {}
    for name, module, (_, *shape) in traced:
        last = channels_last(architecture, module, len(shape))
        layer = Layer(named.get(name, name), name, (shape[-1], *shape[:-1]) if last else tuple(shape))
        if layer.name == SCORES:
            continue
        layers.append(layer)
        if isinstance(module, nn.ReLU):
            preactivations[layer.name] = name + INPUT
    if (relu := _last_relu(traced)) is not None:
        preactivations[SCORES] = relu + INPUT
    layers.append(Layer(SCORES, SCORES, (len(labels),)))
    return Outline(labels, tuple(layers), preactivations, (size, size), head=_head(traced))


def channels_last(architecture: str, module: nn.Module, dimensions: int) -> bool:
    """Whether ``module`` returns (n, ..., c) instead of (n, c, ...): transformers' tokens, Swin's maps."""
    return dimensions == 2 or (
        dimensions == 3 and (architecture.startswith("swin") or isinstance(module, nn.Linear | nn.LayerNorm))
    )


def build(architecture: str, classes: int, size: int, *, initialize: bool) -> nn.Module:
    """Torchvision's model in eval mode, without auxiliary classifiers; ``initialize`` draws its weights at random."""
    builder = torchvision.models.get_model_builder(architecture)
    arguments: dict[str, Any] = {"num_classes": classes}
    if architecture in ("googlenet", "inception_v3"):  # as torchvision sets them for its own weights
        arguments |= {"aux_logits": False, "transform_input": True, "init_weights": initialize}
    elif architecture.startswith("vgg"):
        arguments |= {"init_weights": initialize}
    elif architecture.startswith("vit"):
        arguments |= {"image_size": size}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return builder(weights=None, **arguments).eval()


def without_weights(architecture: str, classes: int, size: int) -> nn.Module:
    """Torchvision's model in eval mode on the meta device, where it costs neither time nor memory."""
    try:
        with torch.device("meta"):
            return build(architecture, classes, size, initialize=False)
    except NotImplementedError:  # RegNet computes its widths with tensors, which have no values there
        return build(architecture, classes, size, initialize=False).to("meta")


def _size_of(architecture: str, weights: str) -> int:
    if not has_entries(architecture):
        return 224
    known = entry(architecture, weights) or entry(architecture, DEFAULT)
    assert known is not None
    return int(known.transforms().crop_size[0])


def check_resize(settings: Mapping[str, Any]) -> bool:
    """Whether a classifier built with these ``settings`` resizes images.

    Raises:
        UserError: ``resize`` is neither true nor false.
    """
    given = settings.get("resize", True)
    if not isinstance(given, bool):
        raise UserError(f"classifier.resize={given} must be true or false")
    return given


def _head(traced: list[tuple[str, nn.Module, tuple[int, ...]]]) -> str:
    """The last dense or convolutional layer; '' if there is none."""
    return next((name for name, module, _ in reversed(traced) if isinstance(module, _WEIGHING)), "")


def _last_relu(traced: list[tuple[str, nn.Module, tuple[int, ...]]]) -> str | None:
    """The ReLU of the class scores, followed by nothing but pooling (SqueezeNet); None for other networks."""
    leaves = [(name, module) for name, module, _ in traced if not list(module.children())]
    for name, module in reversed(leaves):
        if isinstance(module, nn.ReLU):
            return name
        if not isinstance(module, _PASSIVE):
            return None
    return None
