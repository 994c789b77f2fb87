"""What `genviz.analysis.visualization.visualize` is given: names become words of the command line, objects parts."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from omegaconf import OmegaConf
from torch import nn
from torch.optim import Optimizer

from genviz.classifiers.from_module import from_module
from genviz.classifiers.metadata import Metadata, metadata_of, required
from genviz.classifiers.tracing.copies import unwrapped
from genviz.errors import UserError
from genviz.interfaces import Classifier, Generator, Objective, Regularizer
from genviz.training.loading import load_classifier
from genviz.training.schema import LARGEST, Settings

_SEVERAL = ("objective", "regularizer", "transform")
"""Groups of which there can be several parts."""
_OWN = re.compile(r"[+~]*(logger|target|targets|seed|images|paths(\..*)?)=")
"""Settings that have arguments of their own, or that a temporary folder leaves no choice about."""


def seeds_of(images: int, seeds: int | Sequence[int]) -> list[int]:
    """The first seed, or one for each image.

    Raises:
        UserError: one is not a seed, or there are not as many as images.
    """
    try:
        found = [operator.index(seeds)]  # type: ignore[arg-type]
    except TypeError:
        try:
            found = [operator.index(seed) for seed in seeds]  # type: ignore[union-attr]
        except TypeError:
            raise UserError(f"seeds={seeds!r} must be a whole number, or a list of them") from None
    if any(not 0 <= seed <= LARGEST for seed in found):
        raise UserError(f"seeds={seeds!r} must be whole numbers from 0 to {LARGEST}")
    if not _is_count(images):
        raise UserError(f"images={images!r} must be a whole number from 1 up")
    if not found or (images != 1 and len(found) not in (1, images)):
        raise UserError(f"images={images} and seeds={seeds}: give a first seed, or one for each image")
    return found


def _is_count(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and operator.index(value) >= 1
    except TypeError:
        return False


def settings_of(settings: str | Sequence[str]) -> list[str]:
    """The words of the command line.

    Raises:
        UserError: one sets what an argument sets, or where files are written.
    """
    words = [settings] if isinstance(settings, str) else [str(word) for word in settings]
    for word in words:
        if (own := _OWN.match(word)) is not None:
            instead = f"use the argument {own[1].replace('seed', 'seeds')}="
            if own[1].startswith(("logger", "paths")):
                instead = "the run's folder is temporary and nothing is logged; save() and video() keep what came out"
            raise UserError(f"settings={word!r}: {'give one target' if own[1] == 'targets' else instead}")
    return words


def word_of(group: str, given: object) -> str | None:
    """The word of a part that is given by name, ``generator=fourier``; None if it is given otherwise.

    Raises:
        UserError: several are given of a part of which there is one.
    """
    if isinstance(given, str):
        return f"{group}={given}"
    if not isinstance(given, Sequence) or not given or not all(isinstance(name, str) for name in given):
        return None
    if group not in _SEVERAL:
        raise UserError(f"{group}={given}: there can be only one")
    return f"{group}=[{','.join(given)}]"


def object_of(group: str, given: Any) -> Any:
    """A part that is given as an object, as `genviz.training.parts.Parts` takes it; None if it is not.

    Raises:
        UserError: it is not such a part.
    """
    if given is None or word_of(group, given) is not None:
        return None
    if group == "regularizer":
        return _regularizers(given)
    if group == "transform":
        modules = [given] if isinstance(given, nn.Module) else given
        if isinstance(modules, Sequence) and all(isinstance(module, nn.Module) for module in modules):
            return list(modules)
        raise UserError(f"transforms={given!r} must be names, or modules, not both")
    if group == "optimizer":
        if callable(given) and not isinstance(given, Optimizer):
            return given
        built = "functools.partial(torch.optim.Adam, lr=0.05)"
        raise UserError(f"optimizer={given!r} must be a name, or a function that builds one, such as {built}")
    kind, a = (Generator, "a Generator") if group == "generator" else (Objective, "an Objective")
    several = group == "objective" and isinstance(given, Mapping)
    if isinstance(given, kind) or several or (callable(given) and not isinstance(given, nn.Module)):
        return given
    raise UserError(f"{group}={given!r} must be a name, {a}, or a function that builds one")


def _regularizers(given: Any) -> dict[str, Regularizer]:
    parts = [given] if isinstance(given, Regularizer) else given
    if isinstance(parts, Sequence) and all(isinstance(part, Regularizer) for part in parts):
        parts = {_snake(type(part).__name__): part for part in parts}
    if isinstance(parts, Mapping) and all(isinstance(part, Regularizer) for part in parts.values()):
        return dict(parts)
    raise UserError(f"regularizers={given!r} must be names, or Regularizers, not both")


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def check_arguments(schema: type[Settings], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the arguments of a call as the command line's settings are checked; return them as Python's own numbers.

    Raises:
        UserError: one is not what the schema says.
    """
    plain: dict[str, Any] = as_setting(given)
    schema.check(OmegaConf.create(plain))
    return plain


def as_setting(value: Any) -> Any:
    """A value as a configuration can hold it."""
    if isinstance(value, Mapping):
        return {str(name): as_setting(inner) for name, inner in value.items()}
    try:
        return value if isinstance(value, bool) else operator.index(value)
    except TypeError:
        if isinstance(value, Real):  # also numpy's
            return float(value)
        return value if isinstance(value, str | None) else repr(value)


def classifier_of(network: Any, own: Metadata) -> Classifier:
    """The classifier that a ``network`` names or is, or that a module becomes, with its ``own`` metadata.

    Raises:
        UserError: it is none of them, it is not a module and has metadata, or the module does not declare its input.
    """
    if isinstance(network, str):
        if any(value is not None for value in own):
            raise UserError(
                "input_size, mean, std and labels are for modules; for a network that goes by its name, "
                f"load_classifier({network!r}, input_size=…) takes settings"
            )
        return load_classifier(network)
    if isinstance(network, Classifier):
        if any(value is not None for value in own):
            raise UserError("a classifier has its own input_size, mean, std and labels; leave them out")
        return network
    if not isinstance(network, nn.Module):
        what = f"the class {network.__name__}" if isinstance(network, type) else repr(network)
        raise UserError(f"the network must be a classifier's name or a module, not {what}")
    network = unwrapped(network)
    known = metadata_of(network)
    said = {name: value for name, value in own._asdict().items() if value is not None}
    return from_module(network, **required(known._replace(**said))._asdict())
