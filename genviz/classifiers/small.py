"""genviz's own small classifier, for tests and for when VGG16 is too slow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.outline import check_resize, sketch_network
from genviz.classifiers.plain import WIDTHS, PlainNetwork
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.weight_files.weights import DEFAULT, RANDOM, fingerprint, load_own, not_finite
from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, intact, metadata_of, sha256
from genviz.images.pictures import IMAGENET_MEAN, IMAGENET_STD
from genviz.interfaces import Outline

FILE = "small.safetensors"
FORMAT = "genviz.plain.1"
INPUT_SIZE = 128
_RANDOM_SEED = 0  # weights=random is the same network for every run


class Facts(NamedTuple):
    """The metadata of a weights file."""

    widths: tuple[tuple[int, ...], ...]
    classes: int
    input_size: int


class SmallClassifier(FrozenClassifier):
    """The `PlainNetwork` shipped with genviz, or one made by ``genviz distill``.

    Args:
        weights: ``default``, those shipped with genviz; a ``.safetensors`` file from ``genviz distill``; or ``random``.
        input_size: side of the square input, or rows and columns, in pixels; None for that of the weights.
        labels: None for ImageNet's 1,000; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size. Layers that need the network's own size then cannot be read.

    Raises:
        UserError: there are no such weights, or they are not a plain network's.
    """

    def __init__(
        self,
        *,
        weights: str = DEFAULT,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
    ) -> None:
        outline = self.sketch(weights=weights, input_size=input_size, labels=labels, resize=resize)
        network: nn.Module
        if weights == RANDOM:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(_RANDOM_SEED)
                network = PlainNetwork(classes=len(outline.labels))
            source, digest = RANDOM, fingerprint(network.state_dict())
        else:
            path = _path(weights)
            network = _load(path)
            source, digest = path.name, sha256(path)
        super().__init__(network, outline, input_space(), weights_source=source, weights_sha256=digest)

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        weights, size, named = settings.get("weights", DEFAULT), settings.get("input_size"), settings.get("labels")
        if not isinstance(weights, str):
            raise UserError(f"classifier.weights={weights} must be a name")
        if size is not None:
            size = size_of(size)
        labels = labels_of("vgg16", named)
        facts = Facts(WIDTHS, len(labels), INPUT_SIZE) if weights == RANDOM else read_facts(_path(weights))
        if facts.classes != len(labels):
            raise UserError(
                f"the weights are of a network with {facts.classes} classes but there are {len(labels)} labels; "
                "name them with classifier.labels=FILE, one label per line"
            )
        with torch.device("meta"):
            network = PlainNetwork(facts.widths, facts.classes)
        outline = sketch_network(network, labels, size or size_of(facts.input_size))
        return outline._replace(resizes=check_resize(settings))


def input_space() -> InputSpace:
    """RGB, normalized by the mean and standard deviation of natural images."""
    return InputSpace(mean=IMAGENET_MEAN, std=IMAGENET_STD)


def export(network: PlainNetwork, path: Path, *, input_size: int, facts: Mapping[str, Any]) -> None:
    """Write a trained network in half precision, with its batch norm folded and its description as metadata.

    Args:
        network: as trained.
        path: a ``.safetensors`` file, replaced atomically.
        input_size: side of its input, in pixels.
        facts: how it was trained: data, teacher, agreement, settings; stored as JSON.
    """
    plain = network.folded()
    state = {name: value.half().contiguous() for name, value in plain.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "widths": plain.widths,
        "classes": plain.classes,
        "input_size": input_size,
        "facts": facts,
    }
    with atomic_write(path) as file:
        file.write(save(state, metadata_of(metadata)))


def read_facts(path: Path) -> Facts:
    """The metadata in ``path``, without the weights.

    Raises:
        UserError: there is no such file, or it is not of a small network.
    """
    if not path.is_file():
        raise UserError(
            f"there is no weights file {path}; classifier.weights takes a .safetensors file from genviz distill"
        )
    try:
        with safe_open(path, framework="pt") as file:
            metadata = facts_in(file.metadata())
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {FORMAT}")
        given = metadata["widths"]
        blocks = json.loads(given) if isinstance(given, str) else given  # as it was, with a key for each
        widths = tuple(tuple(int(width) for width in block) for block in blocks)
        return Facts(widths, int(metadata["classes"]), int(metadata["input_size"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error).strip().splitlines()[0][:120]
        raise UserError(f"{path} is not a small network ({why}); genviz distill writes them") from error


def _load(path: Path) -> nn.Module:
    facts = read_facts(path)
    network = PlainNetwork(facts.widths, facts.classes)
    load_own(network, path, "get it again")
    if names := not_finite(network):
        raise UserError(f"{path} holds weights that are not finite, which cannot classify: {names[0]}")
    return network


def _path(weights: str) -> Path:
    return intact(FILE) if weights == DEFAULT else Path(weights).expanduser()
