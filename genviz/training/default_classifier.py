"""The classifier of a run that names none: VGG16, or its convolutions with genviz's own heads."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf, open_dict

from genviz.classifiers import input_space
from genviz.classifiers.weight_files.weights import DEFAULT, CannotFetchError, entry, fetch
from genviz.errors import DamagedInstallationError, UserError
from genviz.training import build

FIRST, OTHER = "vgg16", "embedded"
_ALIKE = ("input_size", "labels", "resize")
"""Settings with the same meaning for both; null is each one's own."""


def choose(config: DictConfig) -> None:
    """Replace ``classifier=auto`` by the first choice, or by the other if the first's weights are unavailable.

    The first choice is downloaded here if needed. Setting an architecture, weights or an input space selects the first
    choice, without a fallback. What was chosen, and why not the first, is recorded in ``config.choices``. A figure's
    classifier stays as it is: its panels name the targets, and the layers in them are one network's.

    Raises:
        UserError: the target is wrong for both, which is checked before any download; or only the first choice has it,
            and that is unavailable.
    """
    if "otherwise" not in (config.get("classifier") or {}) or OmegaConf.is_missing(config, "target"):
        return
    with open_dict(config):
        otherwise = config.classifier.pop("otherwise")
    _record(config, classifier=FIRST)
    own = config.classifier
    if (own.architecture, own.weights, own.input_space) != (FIRST, DEFAULT, input_space.AUTO):
        return
    for name in _ALIKE:
        if own[name] is not None:
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
    if isinstance(against_other, DamagedInstallationError):
        raise against_other
    if against_other is not None:
        raise UserError(f"{against_other}. That is the embedded network's answer; {because}")
    config.classifier = otherwise
    _record(config, classifier=OTHER, instead_of=FIRST, because=because)


def _record(config: DictConfig, **choices: str) -> None:
    for name, value in choices.items():
        OmegaConf.update(config, f"choices.{name}", value, force_add=True)


def _objection(config: DictConfig, classifier: DictConfig) -> UserError | None:
    """The error of ``classifier`` with the target or with its own settings, if any."""
    try:
        outline = build.sketch(classifier)
        if config.get("target") is not None or config.get("targets") is not None:
            build.check_targets(config, outline)
    except UserError as error:
        return error
    return None
