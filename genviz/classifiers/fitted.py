"""Classifiers that ``genviz fit`` has trained: written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from genviz.classifiers import fitted_networks
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import AUTO, InputSpace, input_space_of
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.names import paper_names
from genviz.classifiers.outline import check_resize, sketch_network
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.stretched import Stretched
from genviz.classifiers.weight_files.weights import load_own, not_finite
from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, metadata_of, sha256
from genviz.interfaces import Outline

FORMAT = "genviz.fitted.1"


class Facts(NamedTuple):
    """The metadata of a weights file."""

    architecture: str
    """As of ``network.architecture``."""

    labels: tuple[str, ...]
    """One per class."""

    input_size: tuple[int, int]
    """Rows and columns, in pixels."""

    input_space: InputSpace


class FittedClassifier(FrozenClassifier):
    """A network that ``genviz fit`` has trained, frozen, without softmax.

    Args:
        weights: its ``.safetensors`` file.
        input_space: ``auto``, what the file says, or the arguments of `InputSpace`: a network that was trained on
            stretched pictures can be looked into as it is.
        input_size: side of the square input, or rows and columns, in pixels; None for that of the weights.
        labels: None for the file's; a file with one label per line, a list, or a dict by number.
        resize: False: take images at their own size.

    Raises:
        UserError: there is no such file, or it is not of such a network.
    """

    def __init__(
        self,
        *,
        weights: str | None = None,
        input_space: str | Mapping[str, Any] = AUTO,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
    ) -> None:
        outline = self.sketch(weights=weights, input_size=input_size, labels=labels, resize=resize)
        path = _path(weights)
        facts = read_facts(path)
        network = fitted_networks.empty(facts.architecture, len(facts.labels), facts.input_size)
        load_own(network, path, "train it again")
        if names := not_finite(network):
            raise UserError(f"{path} holds weights that are not finite, which cannot classify: {names[0]}")
        space = facts.input_space if input_space == AUTO else input_space_of(input_space, AUTO)
        super().__init__(network, outline, space, weights_source=path.name, weights_sha256=sha256(path))

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        facts = read_facts(_path(settings.get("weights")))
        size, named = settings.get("input_size"), settings.get("labels")
        labels = facts.labels if named is None else labels_of("", named)
        if len(labels) != len(facts.labels):
            raise UserError(f"the network has {len(facts.labels)} classes but there are {len(labels)} labels")
        network = fitted_networks.empty(facts.architecture, len(labels), facts.input_size)
        small = facts.architecture in fitted_networks.SMALL
        named = None if small else paper_names(facts.architecture, network)
        outline = sketch_network(network, labels, facts.input_size if size is None else size_of(size), named=named)
        return outline._replace(resizes=check_resize(settings))


def export(network: nn.Module, path: Path, facts: Facts, *, told: Mapping[str, Any]) -> None:
    """Write a trained network, in the precision that it has, with its description as metadata.

    Args:
        path: a ``.safetensors`` file, replaced atomically.
        told: how it was trained: data, settings, accuracy; stored as JSON.
    """
    space = facts.input_space
    metadata = {
        "format": FORMAT,
        "architecture": facts.architecture,
        "labels": json.dumps(facts.labels),
        "input_size": json.dumps(facts.input_size),
        "input_space": json.dumps({**space.settings, "stretched": isinstance(space, Stretched)}),
        "facts": json.dumps(told),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_write(path) as file:
        file.write(save(state, metadata_of(metadata)))


def read_facts(path: Path) -> Facts:
    """The metadata in ``path``, without the weights.

    Raises:
        UserError: there is no such file, or it is not of a fitted network.
    """
    if not path.is_file():
        raise UserError(f"there is no weights file {path}; classifier.weights takes a .safetensors file of genviz fit")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = facts_in(file.metadata())
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its format is {metadata.get('format')}, not {FORMAT}")
        labels = tuple(str(label) for label in _list(metadata["labels"]))
        fitted_networks.check_architecture(metadata["architecture"])
        settings = dict(json.loads(metadata["input_space"]))
        space = (Stretched if settings.pop("stretched") else InputSpace)(**settings)
        size = size_of(_list(metadata["input_size"]))
        return Facts(metadata["architecture"], labels, size, space)
    except (
        *(SafetensorError, OSError, ValueError, LookupError),
        *(TypeError, AttributeError, RecursionError, UserError),
    ) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"{path} is not a network of genviz fit ({why})") from error


def _list(text: str) -> Sequence[Any]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError(f"{text[:40]} is no list")
    return found


def _path(weights: object) -> Path:
    if not isinstance(weights, str):
        raise UserError("say which network: classifier.weights=FILE.safetensors, as genviz fit has written it")
    return Path(weights).expanduser()
