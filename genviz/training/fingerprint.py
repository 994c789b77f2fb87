"""What a checkpoint must share with the run that continues it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from genviz.files import PHOTOGRAPHS, SHIPPED, sha256
from genviz.images.folders import apart, distinct, find_pictures
from genviz.targets.grammar import Target
from genviz.training.build import plain
from genviz.training.checkpoint import ONLY_WITH, USUAL


def of_training(
    config: DictConfig, target: Target, classifier_sha256: str, generator_sha256: str | None
) -> dict[str, str]:
    """Every setting that a picture depends on, flat: what a checkpoint must share with the run that continues it."""
    groups = ("classifier", "generator", "objective", "regularizer", "transform", "optimizer")
    settings = _settings(config, groups)
    for group in ("classifier", "generator"):
        settings[group].pop("weights", None)
    own = of_target(config, target)
    own |= {"classifier.weights": f"sha256 {classifier_sha256[:16]}", "seed": str(config.seed)}
    own |= {} if generator_sha256 is None else {"generator.weights": f"sha256 {generator_sha256[:16]}"}
    told = [name for name, usual in USUAL.items() if config[name] != usual]
    told += [name for name, other in ONLY_WITH.items() if other in told]
    own |= {name: str(config[name]) for name in ("display", *told)}
    return {name: _content(name, value) for name, value in _flatten(settings).items()} | own


def of_target(config: DictConfig, target: Target) -> dict[str, str]:
    """The target; with labels of its own, which a person can change, also the numbers of the classes."""
    numbers = [str(unit.index[0]) for unit in target.units if unit.kind == "class"]
    given = config.classifier.get("labels") is not None and numbers
    return {"target": str(target)} | ({"target.classes": ",".join(numbers)} if given else {})


def of_universal(config: DictConfig, classifier_sha256: str, pictures_sha256: str) -> dict[str, str]:
    """Every setting that a universal perturbation depends on, flat, and the hash of its pictures."""
    by_gradient = config.method == "gradient"
    groups = ("generator", "regularizer", "transform", "optimizer") if by_gradient else ("deepfool",)
    settings = _settings(config, ("classifier", *groups))
    settings["classifier"].pop("weights", None)
    names = ("enough", "updates", "at_once", "lr_end", "lr_rise") if by_gradient else ("fooled", "passes")
    own = {name: str(config[name]) for name in ("method", "xi", "norm", "seed", *names)}
    own |= {"classifier.weights": f"sha256 {classifier_sha256[:16]}", "pictures": f"sha256 {pictures_sha256[:16]}"}
    return _flatten(settings) | own


def of_inversions(config: DictConfig, classifier_sha256: str) -> dict[str, str]:
    """Every setting that a table of inversions depends on, flat, except its layers, strengths and pictures."""
    settings = _settings(config, ("classifier", "generator", "regularizer", "transform", "optimizer"))
    settings["classifier"].pop("weights", None)
    own = {"classifier.weights": f"sha256 {classifier_sha256[:16]}"}
    return _flatten(settings) | own | {name: str(config[name]) for name in ("updates", "seed")}


def of_distillation(config: DictConfig, weights_sha256: Mapping[str, str], pictures: Sequence[str]) -> dict[str, str]:
    """Every setting that a distilled network depends on, flat, and the names of its ``pictures``.

    Args:
        weights_sha256: of the frozen networks, by group: ``teacher`` (one hash if there are two) and
            ``student.trunk``.
    """
    settings = _settings(config, (*_teachers(config), "student", "distillation", "optimizer", "data"))
    own = {name: str(config[name]) for name in ("updates", "batch", "seed")}  # the learning rate falls with the updates
    own |= _of_networks(settings, weights_sha256) | _of_pictures(settings, pictures)
    return _flatten(settings) | own


def of_lessons(
    config: DictConfig, weights_sha256: Mapping[str, str], pictures: Sequence[str], *, whole: bool
) -> dict[str, str]:
    """Every setting that lessons for heads depend on, flat; of crops, or of ``whole`` pictures.

    Args:
        weights_sha256: of the networks, by group.
        pictures: their names, or whatever else identifies them.
    """
    teachers = _teachers(config)
    settings = _settings(config, (*teachers, "student", "distillation", "data"))
    own = _of_networks(settings, weights_sha256) | _of_pictures(settings, pictures)
    precision = {"precision": str(settings.pop("trainer").get("precision"))}
    for name in ("heads", *(() if whole else ("input_size",))):
        settings["student"].pop(name)
    if whole:
        for name in teachers:
            settings[name].pop("input_size")
        return _flatten({name: settings[name] for name in (*teachers, "student")}) | own | precision
    settings["distillation"] = {name: settings["distillation"][name] for name in ("sizes", "mix", "noise")}
    settings["data"].pop("crops")  # only how many: a bank can grow
    return _flatten(settings) | own | precision | {"seed": str(config.seed)}


def of_pretraining(
    config: DictConfig, updates: int, processes: int, eye_sha256: str, pictures: Sequence[str]
) -> dict[str, str]:
    """Every setting that an autoencoder depends on, flat; without an eye, ``eye_sha256`` is ''."""
    settings = _settings(config, ("encoder", "decoder", "loss", "optimizer", "data"))
    pictures_alike = _of_pictures(settings, pictures)
    for name in ("num_nodes", "strategy"):
        settings["trainer"].pop(name, None)
    own = {
        name: str(config[name]) for name in ("seed", "noise", "warm_up", "validate_every")
    }  # the last decides the best
    own |= {"updates": str(updates), "pictures in an update": str(config.batch * processes)}
    if eye_sha256:
        settings |= {"eye": {**plain(config)["eye"], "weights": f"sha256 {eye_sha256[:16]}"}}
    return _flatten(settings) | own | pictures_alike


def of_fitting(config: DictConfig, updates: int, pictures: str) -> dict[str, str]:
    """Every setting that a fitted classifier depends on, flat; with a constant rate, more epochs continue a training.

    Args:
        pictures: a digest of them.
    """
    settings = _settings(config, ("network", "augmentation", "stop", "optimizer"))
    names = ("seed", "batch", "decay", "lr_end", "input_size", "classes", "normalize", "keep")
    own = {name: str(config[name]) for name in names} | {"the pictures": f"sha256 {pictures}"}
    return _flatten(settings) | own | ({} if config.lr_end == 1 else {"updates": str(updates)})


def of_retraining(config: DictConfig, classifier_sha256: str, seed: int, pictures: Sequence[str]) -> dict[str, str]:
    """Every setting that a run of a retraining depends on, flat, and the names of its ``pictures``."""
    settings = _settings(config, ("classifier", "augmentation", "stop", "optimizer", "drawing"))
    settings["classifier"].pop("weights", None)
    digest = hashlib.sha256("\n".join(pictures).encode(errors="surrogateescape")).hexdigest()
    names = ("target", "epochs", "batch", "hold_out", "repeat", "decay", "every")
    own = {name: str(config[name]) for name in names} | {"seed": str(seed)}
    own |= {"classifier.weights": f"sha256 {classifier_sha256[:16]}"}
    return _flatten(settings) | own | {"the pictures": f"{len(pictures)}, sha256 {digest[:16]}"}


def _content(name: str, value: str) -> str:
    """The hash of the picture or the folder of pictures that a setting names, wherever it lies; else ``value``."""
    if (name, value) == ("objective.natural.pictures", "default"):
        return f"sha256 {SHIPPED[PHOTOGRAPHS][:16]}"
    if (
        name.rpartition(".")[2] in ("image", "start", "direction", "mask")
        and (path := Path(value).expanduser()).is_file()
    ):
        return f"sha256 {sha256(path)[:16]}"
    if name.rpartition(".")[2] == "pictures" and (folder := apart(value)[0]).is_dir():
        pictures = find_pictures(value, name).pictures
        if name == "transform.placed.pictures":
            pictures = distinct(pictures)  # as the transform does
        found = [f"{path.relative_to(folder)} {path.stat().st_size}" for path in pictures]
        digest = hashlib.sha256("\n".join(found).encode(errors="surrogateescape")).hexdigest()
        return f"{len(found)}, sha256 {digest[:16]}"
    return value


def _of_pictures(settings: dict[str, Any], pictures: Sequence[str]) -> dict[str, str]:
    """A digest of the pictures' names; where and how they are read is removed from ``settings``."""
    for name in ("root", "workers", "memory", "bank"):
        settings["data"].pop(name, None)
    digest = hashlib.sha256("\n".join(pictures).encode(errors="surrogateescape")).hexdigest()
    return {"the pictures": f"{len(pictures)}, sha256 {digest[:16]}"}


def _teachers(config: DictConfig) -> list[str]:
    return [name for name in ("teacher", "second_teacher") if config.get(name) is not None]


def _of_networks(settings: dict[str, Any], weights_sha256: Mapping[str, str]) -> dict[str, str]:
    """The hashes of frozen networks' weights; where they are stored is removed from ``settings``."""
    settings.get("second_teacher", {}).pop("weights", None)
    for group in weights_sha256:
        network = settings
        for part in group.split("."):
            network = network[part]
        for name in ("weights", "heads"):  # those of a classifier: a trunk's own heads are not used
            network.pop(name, None)
    return {f"{group}.weights": f"sha256 {digest[:16]}" for group, digest in weights_sha256.items()}


def _settings(config: DictConfig, groups: Sequence[str]) -> dict[str, Any]:
    settings = plain(config)
    trainer = {key: value for key, value in settings["trainer"].items() if key not in ("accelerator", "devices")}
    return {**{key: settings.get(key) or {} for key in groups}, "trainer": trainer}


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
