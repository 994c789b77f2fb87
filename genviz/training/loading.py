"""A classifier by its name, from Python."""

from __future__ import annotations

from typing import Any

from genviz.classifiers.frozen import FrozenClassifier
from genviz.training import build
from genviz.training.configuration import compose
from genviz.training.default_classifier import choose


def load_classifier(name: str = "auto", **settings: Any) -> FrozenClassifier:
    """The classifier that ``classifier=name`` means on the command line, its weights loaded.

    Args:
        name: ``vgg16``, ``embedded``, ``resnet50``, ...; ``auto``: VGG16, or its convolutions with heads of ours where
            its weights cannot be had.
        settings: of the classifier, ``weights="mine.pth"``, ``input_size=160``.

    Raises:
        UserError: there is no such classifier, a setting cannot work, or its weights cannot be had.

    >>> import genviz
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> classifier.outline.input_size
    (64, 64)
    """
    words = [f"classifier.{key}={value}" for key, value in settings.items()]
    config = compose("train", ["target=class:0", f"classifier={name}", *words])
    choose(config)
    return build.classifier(config.classifier)
