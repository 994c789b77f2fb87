"""Builds objects from the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from hydra.errors import HydraException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.images.randomness import Streams
from genviz.interfaces import Classifier, Generator, Objective, Outline, Regularizer
from genviz.objectives.per_image import PerImage
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import NoSuchLayerError
from genviz.targets.lists import Choose, parse_targets
from genviz.targets.selections import stand_in
from genviz.transforms.transform import FeatureTransform

if TYPE_CHECKING:
    from pytorch_lightning.loggers import Logger  # takes seconds

AUTO = "auto"
_WITHOUT_HINTS = (ImportError, NameError, TypeError, ValueError, LookupError)
"""What reading a constructor's annotations may raise: some are for type checkers alone, and a function has none."""
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as dicts, lists, strings and numbers."""
    resolved = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    return {str(key): value for key, value in resolved.items()}


def as_yaml(config: DictConfig) -> str:
    """The resolved configuration as YAML."""
    return OmegaConf.to_yaml(config, resolve=True)


def with_target(text: str, target: Target) -> str:
    """The YAML of a configuration with another target."""
    line = OmegaConf.to_yaml(OmegaConf.create({"target": str(target)}))
    return re.sub(r"^target: .*\n(?: +.*\n)*", lambda _: line, text, count=1, flags=re.MULTILINE)


def class_of(settings: DictConfig | Mapping[str, Any]) -> Any:
    """The class, or the function, that builds what these settings describe."""
    return get_class(str(settings["_target_"]))


def make(config: DictConfig | Mapping[str, Any], what: str, *arguments: Any, **keywords: Any) -> Any:
    """Instantiate ``config``, passing objects in ``keywords`` to the constructor unchanged.

    Raises:
        UserError: the constructor rejects these settings.
    """
    try:
        partial = instantiate(config, _partial_=True, _convert_="all")
        return partial(*arguments, **keywords)
    except UserError:
        raise
    except (HydraException, TypeError, ValueError, LookupError, ArithmeticError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise cause from None
        why = " ".join(str(cause).splitlines()[: 2 if str(cause).startswith("Error loading") else 1])
        if not why.startswith("Error loading") and (odd := _odd(config, what)) is not None:
            raise UserError(odd) from error
        if foreign := re.search(r"unexpected keyword argument '(\w+)'", why):
            kind = str(config.get("_target_", what)).rpartition(".")[2]
            leave = f"an experiment's settings are for the parts that it names; ~{what}.{foreign[1]} removes it"
            why = f"{kind} has no setting '{foreign[1]}' ({leave})"
        settings = {key: value for key, value in config.items() if key != "_target_"}
        raise UserError(f"{what}: {why}; the settings were {settings}") from error


def _kinds(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """What the constructor says of its arguments."""
    try:
        return get_type_hints(vars(class_of(config))["__init__"])
    except (HydraException, *_WITHOUT_HINTS):
        return {}


def _of_other_length(config: DictConfig, what: str) -> str | None:
    """What is wrong with the first setting that should be a list of so many, as its constructor says."""
    kinds = _kinds(config)
    for name, value in plain(config).items():
        count = len(get_args(kinds.get(name)))
        if get_origin(kinds.get(name)) is tuple and not (isinstance(value, list) and len(value) == count):
            return f"{what}.{name}={'null' if value is None else value} must be a list of {count}"
    return None


def _odd(config: DictConfig | Mapping[str, Any], what: str) -> str | None:
    """What is wrong with the first setting that is of another kind than its constructor says."""
    kinds = _kinds(config)
    for name, value in ((str(name), value) for name, value in config.items()):
        wanted = set(get_args(kinds.get(name)) or (kinds.get(name),))
        words = [word for kind, word in _KINDS.items() if kind in wanted]
        fits = type(value) in wanted or (type(value) is int and float in wanted)
        if words and not fits and type(value) in (str, bool, int, float, type(None)):
            return f"{what}.{name}={'null' if value is None else value} must be {' or '.join(words)}"
    return None


def sketch(settings: DictConfig) -> Outline:
    """The outline of the classifier of these settings, without loading its weights."""
    arguments = plain(settings)
    kind = get_class(str(arguments.pop("_target_")))
    assert issubclass(kind, Classifier)
    return kind.sketch(**arguments)


def target(config: DictConfig, outline: Outline) -> Target:
    """The configured target, for a classifier with this outline."""
    try:
        return parse_target(config.target, outline.labels, outline.layers)
    except NoSuchLayerError as error:
        raise UserError(f"{error}; {outline.hidden}" if outline.hidden else str(error)) from None


def targets(config: DictConfig, outline: Outline, choose: Choose) -> list[Target]:
    """The configured targets, one or many, for a classifier with this outline.

    Args:
        choose: finds the filters of an entry that selects them by their contribution.
    """
    if config.get("targets") is None:
        return [target(config, outline)]
    return parse_targets(config.targets, outline.labels, outline.layers, choose)


def check_targets(config: DictConfig, outline: Outline) -> None:
    """Check that a classifier with this outline has the configured targets; filters yet to be selected are left open.

    Raises:
        UserError: it lacks one.
    """
    if config.get("targets") is not None:
        parse_targets(config.targets, outline.labels, outline.layers, lambda entry: [stand_in(entry, outline)])
        return
    standing = stand_in(config.target, outline)
    try:
        parse_target(standing, outline.labels, outline.layers)
    except UserError as error:
        raise UserError(str(error).replace(standing, str(config.target))) from None


def classifier(settings: Any) -> FrozenClassifier:
    """The classifier of these settings, with its weights loaded."""
    made: FrozenClassifier = make(settings, "classifier")
    made.built_from = deciding(settings)
    return made


def deciding(settings: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a classifier that decide what it sees, as plain data; of its weights, there is a hash."""
    own = plain(settings) if isinstance(settings, DictConfig) else settings
    return {str(name): value for name, value in own.items() if name not in ("weights", "heads", "labels")}


def settle(config: DictConfig, target: Target, classifier: Classifier) -> None:
    """Replace ``auto`` by what follows from the classifier: sizes, and the margin for jitter.

    A size becomes the classifier's input size, and the margin T - 1, where T is a quarter of the layers' stride
    (Mahendran & Vedaldi 2016, section 5.2).
    """
    settings = config.generator
    for part in (settings, *parts_of(config, "transform").values()):
        if part.get("size") == AUTO:
            part.size = list(classifier.outline.input_size)
    if settings.get("margin") == AUTO:
        settings.margin = max(round(classifier.stride(target.layers) / 4), 1) - 1


def streams(config: DictConfig, targets: int = 1) -> Streams:
    """The random streams of all targets' images: torch's own for a single image, one stream each for several."""
    seeds = [*range(config.seed, config.seed + config.images)] * targets
    return Streams(None if len(seeds) == 1 else seeds)


def generator_sha256(config: DictConfig) -> str | None:
    """The hash of the weights that the configured generator starts from; None if it has none."""
    settings = plain(config)["generator"]
    kind = get_class(str(settings.pop("_target_")))
    assert issubclass(kind, Generator)
    return kind.sha256_of(**settings)


def holds_many(config: DictConfig) -> bool:
    """Whether the configured generator holds several images."""
    return bool(getattr(class_of(config.generator), "holds_many", False))


def generator(config: DictConfig, streams: Streams) -> Generator:
    """The configured generator, initialised, with an image for each of the ``streams``."""
    if not streams.own:
        return make(config.generator, "generator")
    if not holds_many(config):
        raise UserError(f"generator={config.choices.generator} makes one image at a time: images=1 batch=1")
    return make(config.generator, "generator", streams=streams)


def objective(config: DictConfig, targets: Target | Sequence[Target], outline: Outline) -> Sum:
    """The configured objectives, for one target or several."""
    parts = parts_of(config, "objective")
    if not parts:
        raise UserError("there is no objective; give one, such as objective=activation")
    return Sum({name: _objective(part, f"objective.{name}", targets, outline) for name, part in parts.items()})


def _objective(part: DictConfig, name: str, targets: Target | Sequence[Target], outline: Outline) -> Objective:
    several = [targets] if isinstance(targets, Target) else list(targets)
    if len(several) == 1 or getattr(class_of(part), "takes_many", False):
        return make(part, name, several[0] if len(several) == 1 else several, outline)
    return PerImage([make(part, name, target, outline) for target in several])


def parts_of(config: DictConfig, group: str) -> dict[str, DictConfig]:
    """The parts of a group that may have several, without leftover settings of parts that were replaced.

    Raises:
        UserError: one is not a group of settings.
    """
    parts = {f"{name}": part for name, part in (config.get(group) or {}).items() if part is not None}
    for name, part in parts.items():
        if not isinstance(part, DictConfig):
            raise UserError(
                f"{group}.{name}={part} must be a group of settings, {group}.{name}.SETTING=VALUE; "
                f"~{group}.{name} leaves it out"
            )
    return {name: part for name, part in parts.items() if "_target_" in part}


def regularizers(config: DictConfig) -> dict[str, Regularizer]:
    """The configured regularizers, by name."""
    return {name: make(part, f"regularizer.{name}") for name, part in parts_of(config, "regularizer").items()}


def transforms(config: DictConfig) -> list[Any]:
    """The configured transforms, in order."""
    return [make(part, f"transform.{name}") for name, part in parts_of(config, "transform").items()]


def feature_transform(config: DictConfig) -> FeatureTransform | None:
    """The configured transform of the classifier's features, if there is one."""
    parts = parts_of(config, "transform").items()
    for name, part in parts:
        with suppress(HydraException, ImportError, ValueError, TypeError):  # no class: `transforms` will tell
            if issubclass(class_of(part), FeatureTransform):
                return make(part, f"transform.{name}")
    return None


def optimizer(config: DictConfig) -> Any:
    """A function that builds the configured optimizer for given parameters.

    Raises:
        UserError: a setting is a list of another length than it has.
    """
    if (odd := _of_other_length(config.optimizer, "optimizer")) is not None:
        raise UserError(odd)
    return lambda parameters: make(config.optimizer, "optimizer", parameters)


def loggers(config: DictConfig, *, folder: Path, run_id: str | None, group: str, name: str) -> list[Logger]:
    """The configured logger of the run ``name``, which continues the run ``run_id`` if there is one."""
    if not config.logger:
        return []
    from pytorch_lightning.utilities import rank_zero_only

    rank_zero_only.rank = 0  # type: ignore[attr-defined]  # only the first process logs, whatever LOCAL_RANK says
    return [make(config.logger, "logger", folder=folder, run_id=run_id, group=group, name=name)]


def roots(config: DictConfig) -> list[str]:
    """The folders of the configured data.

    Raises:
        UserError: none is given.
    """
    given = None if OmegaConf.is_missing(config.data, "root") else config.data.root
    folders = [given] if isinstance(given, str) else list(given) if isinstance(given, ListConfig) else []
    if not folders or not all(isinstance(folder, str) and folder for folder in folders):
        raise UserError("say where the pictures are: data.root=FOLDER, or several: data.root=[FOLDER,FOLDER]")
    return folders
