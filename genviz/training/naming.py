"""Names what a run writes, after its configuration."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from genviz.classifiers.weight_files.weights import DEFAULT
from genviz.files import short_name
from genviz.training import build

_LONGEST = 200  # bytes of a folder's name


class Names(NamedTuple):
    """The names of the parts in a run's folders, its W&B group and its result."""

    classifier: str
    generator: str
    note: str | None
    """A warning that the classifier is a fallback: for which, why, and how to get that one."""


def names(config: DictConfig) -> Names:
    """The names of a run: the classifier with weights of its own, the generator with the experiment and the tag."""
    choices = config.choices
    asks = [Path(str(picture)).stem for picture in (config.image, config.style) if picture is not None]
    if choices.experiment is None and choices.objective != "activation":
        asks.insert(0, str(choices.objective or "+".join(build.parts_of(config, "objective"))))
    drawn_by = str(build.plain(config)["generator"].get("weights") or DEFAULT)
    own_weights = None if drawn_by == DEFAULT else Path(drawn_by).stem
    experiment = None if choices.experiment == choices.generator else choices.experiment
    words = [str(part) for part in (choices.generator, own_weights, experiment, *asks, config.tag) if part is not None]
    return Names(classifier_name(config), _as_folder("-".join(words)), note(config))


def classifier_name(config: DictConfig, group: str = "classifier") -> str:
    """The name of the classifier of a ``group``, in folders, with heads and weights that are not the default."""
    settings = build.plain(config)[group]
    classifier = str(settings.get("architecture") or config.choices[group])
    heads, weights = (str(settings.get(part) or DEFAULT) for part in ("heads", "weights"))
    if heads != DEFAULT:
        classifier = f"{classifier}-{Path(heads).stem}"
    if weights != DEFAULT:
        stem = Path(weights).stem
        takes = signature(build.class_of(settings)).parameters
        needed = "architecture" in takes and getattr(takes.get("weights"), "default", DEFAULT) is None
        own = stem.startswith(classifier) and (needed or stem != classifier)  # or the name stands for the default
        classifier = stem if own else f"{classifier}-{stem}"
    return _as_folder(classifier)


def _as_folder(name: str) -> str:
    return short_name(re.sub(r"[^\w.+-]", "_", name), _LONGEST)


def note(config: DictConfig) -> str | None:
    """A warning that the classifier is a fallback; None if it is the one that was wanted."""
    wanted = config.choices.instead_of
    if wanted is None:
        return None
    ours = "only its own convolutions (Oxford's, not the ones torchvision trained anew), with genviz's class scores"
    return f"not all of {wanted}: {ours}: {config.choices.because}"
