"""Load a classifier by name, from Python."""

from __future__ import annotations

from typing import Any

from genviz.classifiers.frozen import FrozenClassifier
from genviz.training import build
from genviz.training.configuration import compose
from genviz.training.default_classifier import choose


def load_classifier(name: str = "auto", **settings: Any) -> FrozenClassifier:
    """The classifier that ``classifier=name`` means on the command line, with its weights loaded.

    Args:
        name: ``vgg16``, ``embedded``, ``resnet50``, ...; ``auto``: VGG16, or its convolutions with genviz's heads if
            its weights are unavailable.
        settings: of the classifier, such as ``weights="mine.pth"`` or ``input_size=160``.

    Raises:
        UserError: there is no such classifier, a setting cannot work, or the weights are unavailable.

    >>> import genviz
    >>> classifier = genviz.load_classifier("small", input_size=64)
    >>> classifier.outline.input_size
    (64, 64)
    """
    words = [f"classifier.{key}={value}" for key, value in settings.items()]
    config = compose("train", ["target=class:0", f"classifier={name}", *words])
    choose(config)
    return build.classifier(config.classifier)
