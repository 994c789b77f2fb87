"""Published networks as ``.safetensors``, with what their own files say beside the weights: written and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from genviz.classifiers.classic_networks import Norm
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.mean_picture import MeanPicture
from genviz.errors import UserError
from genviz.files import atomic_write, facts_in, metadata_of

SUFFIX = ".safetensors"
FORMAT = "genviz.converted.1"
PICTURE = "mean_picture"
"""The tensor of a mean picture, (3, h, w), beside the network's."""


class Facts(NamedTuple):
    """What a converted file says of its network."""

    classifier: str
    """The ``classifier=`` that takes it."""

    norms: Mapping[str, Norm]
    input_space: InputSpace | None


def write(path: Path, state: Mapping[str, Tensor], facts: Facts, *, source: Mapping[str, str]) -> None:
    """Write a network atomically, in the precision that it has.

    Args:
        state: by the names of our modules.
        source: what it was read from: its name and sha256.
    """
    space = facts.input_space
    metadata = {
        "format": FORMAT,
        "classifier": facts.classifier,
        "norms": json.dumps(facts.norms),
        "input_space": json.dumps(None if space is None else space.settings),
        **source,
    }
    tensors = {name: value.contiguous() for name, value in state.items()}
    if isinstance(space, MeanPicture):
        tensors[PICTURE] = space.picture.contiguous()
    with atomic_write(path) as file:
        file.write(save(tensors, metadata_of(metadata)))


def read_facts(path: Path) -> Facts | None:
    """What a ``.safetensors`` file says of its network; None for one that was not converted.

    Raises:
        UserError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = facts_in(file.metadata())
            if metadata.get("format") != FORMAT:
                return None
            picture = file.get_tensor(PICTURE) if PICTURE in file.keys() else None  # noqa: SIM118 - no dict
        norms = {str(name): _norm(values) for name, values in json.loads(metadata["norms"]).items()}
        settings = json.loads(metadata["input_space"])
        space = None if settings is None else _space(settings, picture)
        return Facts(metadata["classifier"], norms, space)
    except (
        SafetensorError,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        UserError,
    ) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise UserError(f"{path} is damaged ({why}); genviz convert writes it again") from error


def _norm(values: Any) -> Norm:
    size, alpha, beta, kappa = values
    if not isinstance(size, int) or not 1 <= size < 1e4:
        raise ValueError(f"a normalization has size {size}")
    return Norm(size, float(alpha), float(beta), float(kappa))


def _space(settings: dict[str, Any], picture: Tensor | None) -> InputSpace:
    return InputSpace(**settings) if picture is None else MeanPicture(picture, channels=settings["channels"])
