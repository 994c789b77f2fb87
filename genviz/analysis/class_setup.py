"""What the analyses of a class share: the class, the classifier, its pictures and its filters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

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
from genviz.training.looking import looking


def resolve(config: DictConfig) -> None:
    """Replace the selections in the target by the filters they stand for, and print which those are.

    The original target is kept as ``config.choices.asked_for``.

    Raises:
        UserError: the classifier lacks the class, the layer or enough filters, or the pictures are unavailable.
    """
    build.check_targets(config, build.sketch(config.classifier))
    check_folder(config)
    classifier = looking(config)
    resolved = resolve_text(classifier, config.target, pictures_of(config, classifier))
    for line in resolved.told:
        print(line, flush=True)
    config.choices.asked_for, config.target = config.target, resolved.text


def choosing(config: DictConfig) -> Callable[[str], list[str]]:
    """A function that finds the filters of an entry of ``targets=``; a lone selection gives one target per filter.

    The classifier is loaded at the first call.
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
    """The configured target, a single class, and the number of that class.

    Raises:
        UserError: the target is not a single class, or there is no such class.
    """
    target = build.target(config, outline)
    if len(target.units) != 1 or target.units[0].kind != "class" or target.silences:
        raise UserError(f"target={config.target}: give a single class, such as target=class:harmonica")
    return target, target.units[0].index[0]


def check_folder(config: DictConfig) -> None:
    """Check that the folder of pictures, if given, holds some.

    Raises:
        UserError: it holds none.
    """
    if config.pictures is not None:
        find_pictures(config.pictures, "pictures")


def seen_in(config: DictConfig) -> Path:
    """The cache of what was seen in a folder's pictures, and of pictures generated for a class."""
    return Path(config.paths.outputs).expanduser() / "seen"


def pictures_of(config: DictConfig, classifier: Classifier) -> Callable[[int], Examples]:
    """A function that returns the pictures of a class by its number: from the configured folder, or generated."""
    return partial(
        examples,
        classifier,
        folder=config.pictures,
        count=config.get("count", COUNT),
        cache=seen_in(config),
        accelerator=str(config.trainer.accelerator),
    )
