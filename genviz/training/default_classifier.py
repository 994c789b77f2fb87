"""Which classifier a run looks through where none is named: VGG16, or its convolutions with heads of ours."""

from __future__ import annotations

from omegaconf import DictConfig, open_dict

from genviz.classifiers import input_space
from genviz.classifiers.weights import DEFAULT, CannotFetchError, entry, fetch
from genviz.errors import UserError
from genviz.training import build

AUTO, FIRST, OTHER = "auto", "vgg16", "embedded"
_ALIKE = ("input_size", "labels", "resize")
"""Settings that mean the same to both."""


def choose(config: DictConfig) -> None:
    """Put the first choice into a configuration with ``classifier=auto``, or the other if its weights cannot be had.

    The first choice is fetched here, if it must be. An architecture, weights or an input space of one's own mean the
    first, and the other is then no question. What was chosen, and why it is not the first, are in ``config.choices``.

    Raises:
        UserError: the target is wrong for both, which is told before anything is fetched; or it is the first's alone,
            and that cannot be had.
    """
    if config.choices.classifier != AUTO:
        return
    with open_dict(config):
        otherwise = config.classifier.pop("otherwise")
    config.choices.classifier = FIRST
    own = config.classifier
    if (own.architecture, own.weights, own.input_space) != (FIRST, DEFAULT, input_space.AUTO):
        return
    for name in _ALIKE:
        otherwise[name] = own[name]
    against_first, against_other = _objection(config, own), _objection(config, otherwise)
    if against_first is not None and against_other is not None:
        raise against_first
    because = str(against_first)
    if against_first is None:
        wanted = entry(FIRST, DEFAULT)
        assert wanted is not None
        try:
            fetch(wanted, FIRST)
        except CannotFetchError as error:
            because = f"{error.why}. To get it: {error.remedy}"
        else:
            return
    if against_other is not None:
        raise UserError(f"{against_other}. That is the embedded network's answer, not {FIRST}'s: {because}")
    config.choices.classifier = OTHER
    config.classifier = otherwise
    config.choices.instead_of = FIRST
    config.choices.because = because


def _objection(config: DictConfig, classifier: DictConfig) -> UserError | None:
    """What ``classifier`` has against the target, or against its own settings."""
    try:
        build.check_targets(config, build.sketch(classifier))
    except UserError as error:
        return error
    return None
