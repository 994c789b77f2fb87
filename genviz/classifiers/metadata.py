"""A network's own metadata: the input size, normalization and labels it was trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torchvision
from torch import Tensor, nn

from genviz.classifiers.box_scores import Detector
from genviz.classifiers.frozen_detector import own_size
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.outline import architectures, without_weights
from genviz.classifiers.sizes import Size
from genviz.errors import UserError

_SUCH = {
    "input_size": "input_size=224",
    "mean": "mean=(0.485, 0.456, 0.406)",
    "std": "std=(0.229, 0.224, 0.225)",
}


class Metadata(NamedTuple):
    """What `genviz.classifiers.from_module.from_module` needs to know; None for what the network does not say."""

    input_size: Size | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    labels: Labels | None = None


def metadata_of(network: nn.Module) -> Metadata:
    """The metadata of a network from torchvision, timm or transformers; empty for any other."""
    if isinstance(network, Detector):
        return Metadata(own_size(network), network.transform.image_mean, network.transform.image_std)
    if isinstance(config := getattr(network, "pretrained_cfg", None), dict) and "mean" in config:
        return _of_timm(network, config)
    if hasattr(getattr(network, "config", None), "id2label"):
        return _of_transformers(network)
    if type(network).__module__.startswith("torchvision.models."):
        return _of_torchvision(network)
    return Metadata()


def required(metadata: Metadata) -> Metadata:
    """Return ``metadata`` if it has everything that a picture depends on.

    Raises:
        UserError: something is missing.
    """
    unknown = [name for name in ("input_size", "mean", "std") if getattr(metadata, name) is None]
    if unknown:
        raise UserError(
            f"the network does not say its {', '.join(unknown)}; give {', '.join(_SUCH[name] for name in unknown)} "
            "or whatever it was trained with, for RGB in [0, 1]"
        )
    return metadata


def _of_timm(network: nn.Module, config: dict[str, Any]) -> Metadata:
    labels = config.get("label_names")
    own = config.get("num_classes")
    of_imagenet = own == 1000 and str(config.get("tag")).endswith("in1k")  # its configuration names no classes
    if labels is None and of_imagenet and getattr(network, "num_classes", own) == own:
        labels = labels_of("resnet18", None)
    return Metadata(_size(*config["input_size"][1:]), tuple(config["mean"]), tuple(config["std"]), labels)


def _of_transformers(network: nn.Module) -> Metadata:
    config: Any = network.config
    labels = [str(label) for _, label in sorted(config.id2label.items(), key=lambda item: int(item[0]))]
    size = getattr(config, "image_size", None)
    try:
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(config.name_or_path, local_files_only=True)
        wanted = dict(processor.crop_size if getattr(processor, "do_center_crop", False) else processor.size)
        rows = int(wanted.get("height") or wanted["shortest_edge"])
        size = _size(rows, int(wanted.get("width") or rows))
        return Metadata(size, tuple(processor.image_mean), tuple(processor.image_std), labels)
    except (ImportError, OSError, ValueError, LookupError, AttributeError, TypeError):  # no processor on this machine
        sides = [size, size] if isinstance(size, int) else list(size or ())
        return Metadata(_size(*sides) if len(sides) == 2 else None, labels=labels)


def _size(rows: int, columns: int) -> Size:
    return rows if rows == columns else (rows, columns)


def _of_torchvision(network: nn.Module) -> Metadata:
    """From the entries of all architectures whose weights have these names and shapes; empty unless they agree."""
    shapes = _shapes(network)
    classes = next((shape[0] for shape in reversed(shapes.values()) if len(shape)), 0)
    found: set[tuple[int, tuple[float, ...], tuple[float, ...], tuple[str, ...]]] = set()
    for name in architectures():
        builder = torchvision.models.get_model_builder(name)
        if builder.__module__ != type(network).__module__:
            continue
        for entry in torchvision.models.get_model_weights(name):
            presets = entry.transforms()
            size = int(presets.crop_size[0])
            likely = _shapes(without_weights(name, classes, size))
            own = {key: shape for key, shape in shapes.items() if key in likely or not key.lower().startswith("aux")}
            if likely == own:
                found.add((size, tuple(presets.mean), tuple(presets.std), tuple(entry.meta["categories"])))
    if len({metadata[1:] for metadata in found}) != 1:
        return Metadata()
    size, mean, std, labels = min(found)
    return Metadata(size, mean, std, labels if len(labels) == classes else None)


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    """Those of the tensors in a state dict; a quantized network's holds other things, too."""
    return {name: tuple(value.shape) for name, value in network.state_dict().items() if isinstance(value, Tensor)}
