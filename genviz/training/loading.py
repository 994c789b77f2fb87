"""Load a classifier by name, from Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.training import build
from genviz.training.configuration import compose
from genviz.training.default_classifier import choose


def _word(value: Any) -> str:
    return "null" if value is None else str(value)


def load_classifier(name: str = "auto", **settings: Any) -> FrozenClassifier:
    """The classifier that ``classifier=name`` means on the command line, with its weights loaded.

    Args:
        name: ``vgg16``, ``embedded``, ``resnet50``, ...; ``auto``: VGG16, or its convolutions with genviz's heads if
            its weights are unavailable.
        settings: of the classifier, such as ``weights="mine.pth"``, ``input_size=160`` or ``labels=["cat", "dog"]``.

    Raises:
        UserError: there is no such classifier, a setting cannot work, or the weights are unavailable.

    >>> import genviz
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> classifier.outline.input_size
    (64, 64)
    """
    held = {key: value for key, value in settings.items() if isinstance(value, Mapping | list | tuple)}
    words = [f"classifier.{key}={_word(value)}" for key, value in settings.items() if key not in held]
    config = compose("train", ["target=class:0", f"classifier={name}", *words])
    for key, value in held.items():
        if key not in config.classifier:
            raise UserError(f"classifier.{key}: there is no such setting; there are {', '.join(config.classifier)}")
        config.classifier[key] = value
    choose(config)
    return build.classifier(config.classifier)
