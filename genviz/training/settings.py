"""What no constructor looks at: settings that are missing, or not of their kind."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import get_args

from omegaconf import DictConfig, ListConfig, OmegaConf

from genviz.errors import UserError
from genviz.images.pictures import Display
from genviz.targets.grammar import EXAMPLES
from genviz.targets.lists import EXAMPLES as TARGETS

_NUMBERS = {"updates": 1, "seed": 0, "checkpoint_every": 1, "log_every": 1, "median": 1, "images": 1, "lr_rise": 0}
"""The whole numbers of a configuration, and the smallest of each."""
_NUMBERS_OF_PICTURES = {
    **dict.fromkeys(("batch", "checkpoint_every", "validate_every", "log_every"), 1),
    "seed": 0,
}
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "64-true")
_LARGEST = 2**32 - 1  # seed that every generator of random numbers takes


def check_training(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    if config.get("targets") is not None:
        _check_sweep(config)
    else:
        _check_target(config, f"say what should fire: target=class:harmonica for instance ({EXAMPLES})")
    _check_run(config, _NUMBERS)
    _check_devices(config)
    moments = config.snapshot_every if isinstance(config.snapshot_every, ListConfig) else [config.snapshot_every]
    if not moments or not all(isinstance(m, int) and not isinstance(m, bool) and m > 0 for m in moments):
        raise UserError(f"snapshot_every={config.snapshot_every} is no whole number from 1 up, nor a list of updates")
    if not isinstance(config.lr_end, int | float) or isinstance(config.lr_end, bool) or not 0 <= config.lr_end <= 1:
        raise UserError(f"lr_end={config.lr_end} is no share from 0 to 1")
    for name in ("image", "style"):
        if config[name] is not None and not (isinstance(config[name], str) and config[name]):
            raise UserError(f"{name}={config[name]} is no file")
    _check_pictures(config)
    if config.display not in get_args(Display):
        raise UserError(f"display={config.display} is not known; it is {', '.join(get_args(Display))}")


def _check_sweep(config: DictConfig) -> None:
    if not OmegaConf.is_missing(config, "target") and config.target is not None:
        raise UserError(f"target={config.target} and targets={config.targets}: give one of them")
    if not isinstance(config.targets, str):
        raise UserError(f"targets={config.targets} is no list of targets; such as {TARGETS}")
    batch = config.batch
    if batch != "auto" and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise UserError(f"batch={batch} is neither auto nor a whole number from 1 up")
    _check_run(config, {"worker": 0})
    if config.images != 1:
        raise UserError(f"images={config.images}: targets= makes one picture of each; give target= for several of one")
    if config.resume is not True:
        raise UserError(
            "targets= goes on where it was; for a new beginning give tag=NAME or another paths.outputs, "
            "or for one of them target=NAME resume=false"
        )


def check_contributions(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    _check_target(config, "say of which class: target=class:harmonica for instance")
    _check_run(config, {"count": 1, "top": 1})
    _check_pictures(config)
    _check_layers(config, "layer")
    _check_devices(config)


def check_bias(config: DictConfig) -> None:
    """Look at what no constructor looks at, beside a training's settings.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    _check_target(config, "say of which class: target=class:harmonica for instance")
    check_training(config)
    _check_run(config, {"count": 1, "filters": 0, "neighbours": 1})
    _check_layers(config, "layer", "features")
    if config.images != 1:
        raise UserError(f"images={config.images}: the report is about one picture of the class, images=1")


def check_distillation(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    _check_run(config, {"updates": 1, **_NUMBERS_OF_PICTURES})
    _check_groups(config, "data", "teacher", "student", "distillation")
    heads = "heads" in config.student
    if heads:
        _check_groups(config.student, "trunk")
        _check_run(config.data, {"chunk": 1, **({} if config.data.crops is None else {"crops": 1})})
        if not isinstance(config.data.bank, str) or not config.data.bank:
            raise UserError(f"data.bank={config.data.bank} is no folder")
    networks = {"teacher": config.teacher, "second_teacher": config.get("second_teacher")}
    for name, network in (networks | ({"student.trunk": config.student.trunk} if heads else {})).items():
        if "otherwise" in (network or {}):
            raise UserError(f"{name}=auto would be another network on another machine; name one, {name}=squeezenet1_0")
    _check_data(config)
    _check_devices(config)


def check_inversions(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    if OmegaConf.is_missing(config, "pictures") or not isinstance(config.pictures, str):
        raise UserError("say which pictures shall be inverted: pictures=FOLDER, or pictures=FILE")
    _check_run(config, {"updates": 1, "count": 1, "seed": 0, **({} if config.batch == "auto" else {"batch": 1})})
    strengths = config.strengths
    if (
        not isinstance(strengths, ListConfig)
        or not strengths
        or not all(isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s < math.inf for s in strengths)
    ):
        raise UserError(f"strengths={strengths} is no list of numbers from 0 up, such as [1,20,100,300]")
    if "otherwise" in config.classifier:
        raise UserError("classifier=auto would be another network on another machine; name one")
    if not re.fullmatch(r"\w[\w.+-]*", str(config.name)):
        raise UserError(f"name={config.name} is no name for a folder; letters, digits, . _ + and - are")
    _check_devices(config)


def check_pretraining(config: DictConfig) -> None:
    """Look at what no constructor looks at.

    Raises:
        UserError: a setting is missing, or not of its kind.
    """
    lengths = [name for name in ("updates", "epochs") if config[name] is not None]
    if len(lengths) != 1:
        raise UserError("say how long to train, by updates=N epochs=null or by epochs=N updates=null")
    _check_run(config, {lengths[0]: 1, **_NUMBERS_OF_PICTURES, **({} if config.warm_up is None else {"warm_up": 0})})
    _check_groups(config, "data", "decoder", "encoder", "loss", "optimizer", "eye")
    _check_data(config)
    for name, value in (("noise", config.noise), ("loss.weight_features", config.loss.weight_features)):
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise UserError(f"{name}={value} is no number from 0 up")
    _check_precision(config)
    if "otherwise" in config.eye:
        raise UserError("eye=auto would be another network on another machine; name one, eye=embedded for instance")
    if not isinstance(config.loss.features, ListConfig):
        raise UserError(f"loss.features={config.loss.features} is no list of layers, such as [relu2_1,relu3_2]")
    if config.trainer.get("accumulate_grad_batches", 1) != 1:
        raise UserError("trainer.accumulate_grad_batches: an update has one batch here; give a larger batch")
    if "num_nodes" in config.trainer:
        _check_run(config.trainer, {"num_nodes": 1})
    strategy = str(config.trainer.get("strategy", "auto"))
    if any(way in strategy for way in ("spawn", "fork", "notebook")):
        raise UserError(f"trainer.strategy={strategy}: processes begin as programs of their own here; take ddp")


def _check_target(config: DictConfig, ask: str) -> None:
    if OmegaConf.is_missing(config, "target") or config.get("target") is None:
        raise UserError(f"{ask}; all classes: genviz labels")


def _check_pictures(config: DictConfig) -> None:
    if config.pictures is not None and not (isinstance(config.pictures, str) and config.pictures):
        raise UserError(f"pictures={config.pictures} is no folder")


def _check_layers(config: DictConfig, *names: str) -> None:
    for name in names:
        if config[name] is not None and not isinstance(config[name], str):
            raise UserError(f"{name}={config[name]} is no layer; all of them: genviz layers CLASSIFIER")


def _check_groups(config: DictConfig, *groups: str) -> None:
    for name in groups:
        if not isinstance(config.get(name), DictConfig):
            raise UserError(f"{name} is a group of settings: {name}.SETTING=VALUE; --help lists them")


def _check_data(config: DictConfig) -> None:
    _check_run(config.data, {"hold_out": 2, **({} if config.data.workers is None else {"workers": 0})})
    for name, largest in (("colour", 1.0), ("memory", 1024.0)):
        value = config.data[name]
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= largest:
            raise UserError(f"data.{name}={value} is no number from 0 to {largest:g}")
    if not isinstance(config.name, str) or not re.fullmatch(r"\w[\w.+-]*", config.name):
        raise UserError(f"name={config.name} is no name for a folder; letters, digits, . _ + and - are")


def _check_devices(config: DictConfig) -> None:
    devices = config.trainer.get("devices")
    if devices not in (1, "1"):
        raise UserError(f"trainer.devices={devices}: this is trained by one process, on 1 device")
    _check_precision(config)


def _check_precision(config: DictConfig) -> None:
    precision = config.trainer.get("precision", "32-true")
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
