"""What the programs that are about classes share: the class, the classifier, its pictures, its filters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import torch
from omegaconf import DictConfig

from genviz.analysis.contributions import resolve as resolve_text
from genviz.analysis.examples import COUNT, Examples, examples
from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.images.folders import find_pictures
from genviz.interfaces import Classifier, Outline
from genviz.targets.grammar import Target, parse_target
from genviz.targets.selections import find_selections
from genviz.training import build


def resolve(config: DictConfig) -> None:
    """Put the filters that the target means in their place, and say which they are.

    What was asked for is kept as ``config.choices.asked_for``.

    Raises:
        UserError: the classifier has no such class, layer or as many filters; or the pictures cannot be had.
    """
    build.check_targets(config, build.sketch(config.classifier))
    check_folder(config)
    classifier = looking(config)
    resolved = resolve_text(classifier, config.target, pictures_of(config, classifier))
    for line in resolved.told:
        print(line, flush=True)
    config.choices.asked_for, config.target = config.target, resolved.text


def choosing(config: DictConfig) -> Callable[[str], list[str]]:
    """What finds the filters of an entry of ``targets=``: each a target of its own where the entry is nothing else.

    The classifier is loaded when it is first asked.
    """

    @cache
    def looked() -> tuple[FrozenClassifier, Callable[[int], Examples]]:
        check_folder(config)
        classifier = looking(config)
        return classifier, pictures_of(config, classifier)

    def choose(entry: str) -> list[str]:
        classifier, pictures = looked()
        resolved = resolve_text(classifier, entry, pictures)
        for line in resolved.told:
            print(line, flush=True)
        if [selection.text for selection in find_selections(entry)] != [entry.strip()]:
            return [resolved.text]
        found = parse_target(resolved.text, classifier.outline.labels, classifier.outline.layers)
        return [unit.name for unit in found.units]

    return choose


def one_class(config: DictConfig, outline: Outline) -> tuple[Target, int]:
    """The configured target and its class, where it is a class and nothing else.

    Raises:
        UserError: it is something else, or there is no such class.
    """
    target = build.target(config, outline)
    if len(target.units) != 1 or target.units[0].kind != "class":
        raise UserError(f"target={config.target}: this is about one class, target=class:harmonica for instance")
    return target, target.units[0].index[0]


def check_folder(config: DictConfig) -> None:
    """See that there are pictures, where a folder is given.

    Raises:
        UserError: there are none.
    """
    if config.pictures is not None:
        find_pictures(config.pictures, "pictures")


def looking(config: DictConfig) -> FrozenClassifier:
    """The configured classifier, its weights loaded, on the GPU where one is to be used."""
    classifier = build.classifier(config.classifier)
    on_gpu = torch.cuda.is_available() and config.trainer.accelerator != "cpu"
    return classifier.to("cuda") if on_gpu else classifier


def seen_in(config: DictConfig) -> Path:
    """Where what was seen in a folder's pictures, and what was drawn for a class, is kept."""
    return Path(config.paths.outputs).expanduser() / "seen"


def pictures_of(config: DictConfig, classifier: Classifier) -> Callable[[int], Examples]:
    """The pictures of a class, by its number: of the configured folder, or drawn."""
    return partial(
        examples,
        classifier,
        folder=config.pictures,
        count=config.get("count", COUNT),
        cache=seen_in(config),
        accelerator=str(config.trainer.accelerator),
    )
