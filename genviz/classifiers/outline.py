"""What is known about a classifier without its weights: labels, layers and input size.

It is enough to reject a wrong target before anything is downloaded or loaded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
import torchvision
from torch import nn

from genviz.classifiers.labels import labels_of
from genviz.classifiers.names import paper_names
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.tracing.scripted import hidden_in
from genviz.classifiers.tracing.taps import INPUT
from genviz.classifiers.tracing.trace import Traced, trace
from genviz.classifiers.weight_files.weights import DEFAULT, entry, has_entries
from genviz.errors import UserError
from genviz.interfaces import SCORES, Layer, Outline
from genviz.targets.labels import nearest

_UNSPEAKABLE = re.compile(r"[^\w \-'’.&()]")  # in a target; see `genviz.targets.spelling`
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
    input_size: Size | None = None,
    labels: str | tuple[str, ...] | None = None,
) -> Outline:
    """The outline of torchvision's ``architecture``, traced on the meta device, which costs no arithmetic.

    Args:
        architecture: torchvision's name, ``vgg16``.
        weights: as for `TorchvisionClassifier`; only their input size matters here.
        input_size: side of the square input, or rows and columns, in pixels; None for that of the weights, or of
            torchvision's default weights.
        labels: None for ImageNet's 1,000, a file of them, or the labels.

    Raises:
        UserError: there is no such model or labels file, or the model cannot take that size.
    """
    if architecture not in (names := architectures()):
        likely = nearest(architecture, names)
        raise UserError(
            f"torchvision has no classification model or detector called '{architecture}'"
            + (f"; nearest: {', '.join(likely)}" if likely else "")
            + "; genviz classifiers lists them all"
        )
    names_of_classes = labels_of(architecture, labels)
    size = size_of(_size_of(architecture, weights) if input_size is None else input_size)
    try:
        network = without_weights(architecture, len(names_of_classes), size)
        traced = trace(network, torch.empty(1, 3, *size, device="meta")).layers
    except (RuntimeError, AssertionError, ValueError) as error:
        why = _reason(error)
        raise UserError(
            f"{architecture} cannot take {size[0]} x {size[1]} pixels ({why}); "
            "classifier.input_size=null uses its own size"
        ) from error
    named = paper_names(architecture, network)
    return outline_of(network, traced, names_of_classes, size, named=named)


def sketch_network(
    network: nn.Module, labels: tuple[str, ...], size: Size, *, named: Mapping[str, str] | None = None
) -> Outline:
    """The outline of a ``network`` on the meta device.

    Args:
        size: of its input: the side of a square, or rows and columns.
        named: the papers' layer names by module name; None if the modules already have them.

    Raises:
        UserError: it cannot take pictures of this size.
    """
    size = size_of(size)
    try:
        traced = trace(network, torch.empty(1, 3, *size, device="meta")).layers
    except (RuntimeError, AssertionError, ValueError) as error:
        why = _reason(error)
        raise UserError(
            f"the network cannot take {size[0]} x {size[1]} pixels ({why}); "
            "classifier.input_size=null uses its own size"
        ) from error
    return outline_of(network, traced, labels, size, named=named)


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:100]


def outline_of(
    network: nn.Module,
    traced: list[Traced],
    labels: tuple[str, ...],
    size: tuple[int, int],
    *,
    named: Mapping[str, str] | None = None,
) -> Outline:
    """The outline of a ``network``.

    Args:
        traced: its layers.
        size: rows and columns of the traced input.
        named: the papers' layer names by module name.
    """
    aliases = _aliases(network)
    names = _names(traced, len(labels), named or {})
    layers, preactivations = [], {}
    for layer in traced:
        if (name := names[layer.name]) == SCORES:
            continue
        axis, shape = layer.axis, layer.shape
        shape = shape if axis is None else (shape[axis - 1], *shape[: axis - 1], *shape[axis:])
        layers.append(Layer(name, layer.name, shape, axis, layer.batch, aliases.get(id(layer.module), ())))
        if isinstance(layer.module, nn.ReLU):
            preactivations[name] = layer.name + INPUT
    if (relu := _last_relu(traced)) is not None:
        preactivations[SCORES] = relu + INPUT
    if labels:
        layers.append(Layer(SCORES, SCORES, (len(labels),)))
    return Outline(labels, tuple(layers), preactivations, size, head=_head(traced), hidden=hidden_in(network))


def _names(traced: list[Traced], classes: int, named: Mapping[str, str]) -> dict[str, str]:
    """Each layer's name in a target, by its module's: the papers' if it has one, without what no target can hold."""
    found: dict[str, str] = {}
    for layer in traced:
        name = named.get(layer.name) or _UNSPEAKABLE.sub("_", layer.name).strip()
        if name == SCORES and (layer is not traced[-1] or layer.shape != (classes,)):  # they are another layer
            name += "_0"
        while name in found.values() or (name != layer.name and any(name == other.name for other in traced)):
            name += "_"
        found[layer.name] = name
    return found


def _aliases(network: nn.Module) -> dict[int, tuple[str, ...]]:
    """For each module that the network has in several places, by its id: the names of all but the first."""
    found: dict[int, tuple[str, ...]] = {}
    first = {id(module): name for name, module in network.named_modules()}
    for name, module in network.named_modules(remove_duplicate=False):
        if name != first[id(module)]:
            found[id(module)] = (*found.get(id(module), ()), name)
    return found


def build(architecture: str, classes: int, size: Size, *, initialize: bool) -> nn.Module:
    """Torchvision's model in eval mode, without auxiliary classifiers; ``initialize`` draws its weights at random."""
    builder = torchvision.models.get_model_builder(architecture)
    arguments: dict[str, Any] = {"num_classes": classes}
    if architecture in ("googlenet", "inception_v3"):  # as torchvision sets them for its own weights
        arguments |= {"aux_logits": False, "transform_input": True, "init_weights": initialize}
    elif architecture.startswith("vgg"):
        arguments |= {"init_weights": initialize}
    elif architecture.startswith("vit"):
        arguments |= {"image_size": _side(architecture, size)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return builder(weights=None, **arguments).eval()


def _side(architecture: str, size: Size) -> int:
    rows, columns = size_of(size)
    if rows != columns:
        raise UserError(f"{architecture} takes square pictures alone, not classifier.input_size=[{rows},{columns}]")
    return rows


def without_weights(architecture: str, classes: int, size: Size) -> nn.Module:
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


def _head(traced: list[Traced]) -> str:
    """The last dense or convolutional layer; '' if there is none."""
    return next((layer.name for layer in reversed(traced) if isinstance(layer.module, _WEIGHING)), "")


def _last_relu(traced: list[Traced]) -> str | None:
    """The ReLU of the class scores, followed by nothing but pooling (SqueezeNet); None for other networks."""
    for layer in reversed(traced):
        if list(layer.module.children()):
            continue
        if isinstance(layer.module, nn.ReLU):
            return layer.name
        if not isinstance(layer.module, _PASSIVE):
            return None
    return None
