"""Configuration to objects; with `genviz.program`, the only module that knows Hydra."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.errors import HydraException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.weights import DEFAULT
from genviz.errors import UserError
from genviz.interfaces import Classifier, Generator, Objective, Outline, Regularizer
from genviz.targets import EXAMPLES, Target, parse_target

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger  # takes seconds

_NUMBERS = {"updates": 1, "seed": 0, "checkpoint_every": 1, "snapshot_every": 1, "log_every": 1}
"""The whole numbers of a configuration, and the smallest of each."""
_NUMBERS_OF_DISTILLATION = {
    **dict.fromkeys(("updates", "batch", "checkpoint_every", "validate_every", "log_every"), 1),
    "seed": 0,
}
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")
_LARGEST = 2**32 - 1  # seed that every generator of random numbers takes


def check(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    if OmegaConf.is_missing(config, "target") or config.get("target") is None:
        raise UserError(
            f"say what should fire: target=class:harmonica for instance ({EXAMPLES}); "
            "all classes: python -m genviz labels"
        )
    _check_run(config, _NUMBERS)
    _check_devices(config)
    if config.display not in ("rgb", "despraz"):
        raise UserError(f"display={config.display} is not known; it is rgb or despraz")


def check_distillation(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    _check_run(config, _NUMBERS_OF_DISTILLATION)
    if not isinstance(config.get("data"), DictConfig) or not isinstance(config.get("teacher"), DictConfig):
        raise UserError("data and teacher are groups of settings: data.root=FOLDER teacher=squeezenet1_0")
    _check_run(config.data, {"hold_out": 2, "workers": 0})
    for name, largest in (("colour", 1.0), ("memory", 1024.0)):
        value = config.data[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= largest:
            raise UserError(f"data.{name}={value} is no number from 0 to {largest:g}")
    if not isinstance(config.name, str) or not re.fullmatch(r"\w[\w.+-]*", config.name):
        raise UserError(f"name={config.name} is no name for a folder; letters, digits, . _ + and - are")
    _check_devices(config)


def _check_devices(config: DictConfig) -> None:
    devices, precision = config.trainer.get("devices"), config.trainer.get("precision")
    if devices not in (1, "1"):
        raise UserError(f"trainer.devices={devices}: this is trained by one process, on 1 device")
    if precision not in _PRECISIONS:
        raise UserError(f"trainer.precision={precision} is not known; it is {', '.join(_PRECISIONS)}")


def _check_run(config: DictConfig, numbers: Mapping[str, int]) -> None:
    for name, smallest in numbers.items():
        value = config[name]
        if isinstance(value, bool) or not isinstance(value, int) or not smallest <= value <= _LARGEST:
            raise UserError(f"{name}={value} is no whole number from {smallest} to {_LARGEST}")
    if "resume" in config and not isinstance(config.resume, bool):
        raise UserError(f"resume={config.resume} is neither true nor false")
    for name, folder in config.get("paths", {}).items():
        if not isinstance(folder, str) or not folder:
            raise UserError(f"paths.{name}={folder} is no folder")


class Names(NamedTuple):
    """What a run's folders, its W&B group and its result call the parts."""

    classifier: str
    generator: str
    note: str | None
    """What nobody may miss: that the classifier is not the one that was wanted, why, and how to get that."""


def names(config: DictConfig) -> Names:
    """The classifier, with its weights if they are not the default; the generator, with the experiment and the tag."""
    settings, choices = plain(config)["classifier"], config.choices
    classifier = str(settings.get("architecture", choices.classifier))
    weights = str(settings.get("weights", DEFAULT))
    if weights != DEFAULT:
        stem = Path(weights).stem
        own = stem.startswith(classifier) and stem != classifier  # its name alone is the default weights'
        classifier = stem if own else f"{classifier}-{stem}"
    generator = "-".join(str(part) for part in (choices.generator, choices.experiment, config.tag) if part is not None)
    classifier, generator = (re.sub(r"[^\w.+-]", "_", name) for name in (classifier, generator))
    return Names(classifier, generator, _note(config))


def _note(config: DictConfig) -> str | None:
    wanted = config.choices.instead_of
    if wanted is None:
        return None
    return f"not {wanted}, but genviz's own small embedded network: {config.choices.because}"


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as dicts, lists, strings and numbers."""
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def as_yaml(config: DictConfig) -> str:
    """The resolved configuration as YAML."""
    return OmegaConf.to_yaml(config, resolve=True)


def make(config: DictConfig | Mapping[str, Any], what: str, *arguments: Any, **keywords: Any) -> Any:
    """Instantiate ``config``; objects in ``keywords`` reach the constructor as they are.

    Raises:
        UserError: the constructor does not take these settings.
    """
    try:
        partial = instantiate(config, _partial_=True, _convert_="all")
        return partial(*arguments, **keywords)
    except UserError:
        raise
    except (HydraException, TypeError, ValueError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise cause from None
        settings = {key: value for key, value in config.items() if key != "_target_"}
        raise UserError(f"{what}: {str(cause).splitlines()[0]}; the settings were {settings}") from error


def sketch(settings: DictConfig) -> Outline:
    """The outline of the classifier of these settings, without its weights."""
    arguments = plain(settings)
    kind = get_class(str(arguments.pop("_target_")))
    assert issubclass(kind, Classifier)
    return kind.sketch(**arguments)


def target(config: DictConfig, outline: Outline) -> Target:
    """The configured target, for a classifier with this outline."""
    return parse_target(config.target, outline.labels, outline.layers)


def classifier(settings: Any) -> FrozenClassifier:
    """The classifier of these settings, its weights loaded."""
    return make(settings, "classifier")


def generator(config: DictConfig) -> Generator:
    """The configured generator, its parameters drawn."""
    return make(config.generator, "generator")


def objective(config: DictConfig, target: Target, outline: Outline) -> Objective:
    """The configured objective, for this target."""
    return make(config.objective, "objective", target, preactivations=outline.preactivations)


def regularizers(config: DictConfig) -> dict[str, Regularizer]:
    """The configured regularizers, by name."""
    return {str(name): make(part, "regularizer") for name, part in config.regularizer.items()}


def transforms(config: DictConfig) -> list[Any]:
    """The configured transforms, in order."""
    return [make(part, "transform") for part in config.transform.values()]


def optimizer(config: DictConfig) -> Any:
    """What makes the configured optimizer of some parameters."""
    return lambda parameters: make(config.optimizer, "optimizer", parameters)


def loggers(config: DictConfig, *, folder: Path, run_id: str | None, group: str, name: str) -> list[Logger]:
    """The configured logger of the run ``name``, which continues ``run_id`` if it is one."""
    if not config.logger:
        return []
    return [make(config.logger, "logger", folder=folder, run_id=run_id, group=group, name=name)]


def roots(config: DictConfig) -> list[str]:
    """The folders that the configured data lie in.

    Raises:
        UserError: none is given.
    """
    given = None if OmegaConf.is_missing(config.data, "root") else config.data.root
    folders = [given] if isinstance(given, str) else list(given) if isinstance(given, ListConfig) else []
    if not folders or not all(isinstance(folder, str) and folder for folder in folders):
        raise UserError("say where the pictures are: data.root=FOLDER, or several: data.root=[FOLDER,FOLDER]")
    return folders


def identity(config: DictConfig, target: Target, weights_sha256: str) -> dict[str, str]:
    """Every setting that a picture depends on, flat: what a checkpoint must share with the run that continues it."""
    groups = ("classifier", "generator", "objective", "regularizer", "transform", "optimizer")
    settings = _settings(config, groups)
    settings["classifier"].pop("weights", None)
    own = {"target": str(target), "classifier.weights": f"sha256 {weights_sha256[:16]}", "seed": str(config.seed)}
    return _flatten(settings) | own


def identity_of_distillation(config: DictConfig, weights_sha256: str, pictures: Sequence[str]) -> dict[str, str]:
    """Every setting that a distilled network depends on, flat, and the names of its ``pictures``."""
    settings = _settings(config, ("teacher", "student", "distillation", "optimizer", "data"))
    settings["teacher"].pop("weights", None)
    for name in ("root", "workers", "memory"):
        settings["data"].pop(name)
    own = {name: str(config[name]) for name in ("updates", "batch", "seed")}  # the learning rate falls with the updates
    digest = hashlib.sha256("\n".join(pictures).encode()).hexdigest()
    own |= {"teacher.weights": f"sha256 {weights_sha256[:16]}"}
    return _flatten(settings) | own | {"the pictures": f"{len(pictures)}, sha256 {digest[:16]}"}


def _settings(config: DictConfig, groups: Sequence[str]) -> dict[str, Any]:
    settings = plain(config)
    trainer = {key: value for key, value in settings["trainer"].items() if key not in ("accelerator", "devices")}
    return {**{key: settings[key] for key in groups}, "trainer": trainer}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
