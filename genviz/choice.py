"""Which classifier a run looks through where none is named: VGG16, or the embedded network where that cannot be had."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from genviz import build
from genviz.classifiers.weights import DEFAULT, CannotFetchError, entry, fetch
from genviz.errors import UserError

AUTO, FIRST, OTHER = "auto", "vgg16", "embedded"
_ALIKE = ("input_size", "labels")
"""Settings that mean the same to both."""


def choose(config: DictConfig) -> None:
    """Put the first choice into a configuration with ``classifier=auto``, or the other if its weights cannot be had.

    The first choice is fetched here, if it must be. An architecture, weights or an input space of one's own mean the
    first, and the other is then no question. What was chosen, and why it is not the first, are in ``config.choices``.

    Raises:
        UserError: the target is wrong for both, which is told before anything is fetched.
    """
    if config.choices.classifier != AUTO:
        return
    with open_dict(config):
        otherwise = config.classifier.pop("otherwise")
    config.choices.classifier = FIRST
    own = config.classifier
    if (own.architecture, own.weights, own.input_space) != (FIRST, DEFAULT, "torchvision"):
        return
    for name in _ALIKE:
        otherwise[name] = config.classifier[name]
    _check_target(config, otherwise)
    wanted = entry(FIRST, DEFAULT)
    assert wanted is not None
    try:
        fetch(wanted, FIRST)
    except CannotFetchError as error:
        config.choices.classifier = OTHER
        config.classifier = otherwise
        config.choices.instead_of = FIRST
        config.choices.because = f"{error.why}. To get it: {error.remedy}"


def _check_target(config: DictConfig, otherwise: DictConfig) -> None:
    """Raise if neither classifier knows the target."""
    try:
        build.target(config, build.sketch(config.classifier))
    except UserError:
        try:
            build.target(config, build.sketch(otherwise))
        except UserError:
            pass
        else:
            return
        raise
