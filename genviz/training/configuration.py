"""Turns the words of a command line into a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from genviz.errors import UserError, shown
from genviz.files import shipped_folder
from genviz.targets.spelling import check_spelling
from genviz.training.hydra_errors import explained, unread

_CLASSIFIERS = {
    "classifier": "classifier",
    **{
        part: f"classifier@{part}"
        for part in ("teacher", "second_teacher", "eye", "student.trunk", "other", "second_other")
    },
}
"""The settings that name a classifier, and Hydra's names for them."""
_CHOICES = ("classifier", "generator", "objective", "regularizer", "transform", "optimizer", "experiment", "student")
_PATHS = {
    *(
        "image",
        "style",
        "pictures",
        "baseline",
        "start",
        "direction",
        "mask",
        "weights",
        "heads",
        "labels",
        "root",
        "bank",
        "data",
        "photo",
    ),
    *("outputs", "checkpoints"),
}
"""The last part of settings that name a file or a folder, with any characters: ``=``, spaces, commas, parentheses."""
_GREY = "integrated_gradients.baseline"
"""The only setting with such a name that takes a number."""
_SEVERAL = ("layer", "filters", "method")
"""Settings that take several words with commas between them."""
_NEXT = re.compile(r",(?=[\w.@+~]+=)")
"""Between two settings of a list, ``[a=1,b=[2,3]]``."""
_MODULE = re.compile(r"\d+(\.\d+)+")
_LONGEST = 255  # bytes of a name, on all file systems
_NAME = re.compile(r"[\w.+-]+")
_DETECTOR = re.compile(r"(?:(?:faster|mask|keypoint)rcnn|retinanet|fcos|ssd\d*|ssdlite\d*)_\w+")
"""Torchvision's names for its detectors; none of its classification models is called so."""


def compose(name: str, words: Sequence[str]) -> DictConfig:
    """The configuration that the command ``name`` would run with for these words.

    Raises:
        UserError: there is no such setting, or the target has a character that no target has.
    """
    try:
        config = _composed(name, words)
    except (HydraException, ValueError) as error:
        raise UserError(explain(error, name, words)) from error
    with open_dict(config):
        del config["hydra"], config["command"]
    return config


def _composed(name: str, words: Sequence[str]) -> DictConfig:
    before = Singleton.get_state()  # Hydra may already be in use, by a program or a notebook
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(shipped_folder("configs")), version_base="1.3"):
            config = hydra.compose(name, plain_words(words), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        if "choices" in config:
            OmegaConf.resolve(config.choices)  # they refer to Hydra's own settings, which may be deleted
    finally:
        Singleton.set_state(before)
    return config


def explain(error: Exception, name: str, words: Sequence[str]) -> str:
    """The message of Hydra's ``error`` about the ``words`` of the command ``name``."""

    def settings() -> list[str]:
        chosen = [word for word in words if word.partition("=")[0] in _CHOICES]
        for kept in (chosen, []):
            try:
                return list(_names(_composed(name, kept)))
            except HydraException:
                continue
        return []

    for word in plain_words(words):
        if not _is_readable(word):
            return unread(word)
    return explained(error, name, words, settings)


def _names(config: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, config):
        if f"{prefix}{key}" not in ("hydra", "command") and key != "_target_":
            yield f"{prefix}{key}"
            if not OmegaConf.is_missing(config, key) and isinstance(value := config._get_node(key), DictConfig):
                yield from _names(value, f"{prefix}{key}.") if value else ()


def _quoted(value: str) -> str:
    """``value`` in quotes, in which Hydra reads a backslash as it is, but before a quote."""
    escaped = re.sub(r'(\\*)("|$)', lambda found: 2 * found[1] + (found[2] and '\\"'), value)
    return f'"{escaped}"'


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def plain_words(words: Sequence[str]) -> list[str]:
    """Add the quotes that Hydra needs, and accept any model or detector of torchvision's as a classifier."""
    multirun = any(word in ("-m", "--multirun") for word in words)  # there, a comma separates targets
    groups, plain = _groups(), []
    for word in words:
        key, equals, value = word.partition("=")
        group = key.lstrip("+")
        if equals and not 0 < len(key.encode(errors="surrogateescape")) <= _LONGEST:
            raise UserError(f"{shown(word)}: there is no such setting; one is written NAME=VALUE, such as updates=100")
        if key == "target" and equals and not multirun:
            plain.append(f'target="{check_spelling(_unquoted(value))}"')
        elif key == "targets" and equals and value != "null":  # in a multirun, too, each job gets the whole list
            plain.append(f"targets={_quoted(_unquoted(value).strip('[]'))}")
        elif key in _SEVERAL and _is_several(value) and not (multirun and "," in value):
            plain.append(f"{key}={_quoted(value)}")
        elif key.endswith(".settings") and value[:1] + value[-1:] == "[]" and not _is_readable(word):
            plain.append(f"{key}=[{','.join(map(_quoted, _NEXT.split(value[1:-1])))}]")
        elif _names_a_path(key) and _is_plain(value):
            separate = value.split(",") if multirun else [value]  # there, a comma separates jobs
            plain.append(f"{key}={','.join(_quoted(_checked(word, part)) for part in separate)}")
        elif key == "name" and _NAME.fullmatch(value):
            plain.append(f"name='{value}'")  # it may look like a number
        elif key in _CLASSIFIERS and equals and value.isidentifier():
            known = value in groups["classifier"]
            kind = "detector" if _DETECTOR.fullmatch(value) else "torchvision"
            plain.append(f"{_CLASSIFIERS[key]}={value if known else kind}")
            plain += [] if known else [f"{key}.architecture={value}"]
        elif group in groups and value.lower() == "null":
            choice = "none" if "none" in groups[group] else groups[group][0]
            raise UserError(f"{word}: name one, such as {group}={choice}")
        elif group in groups and not _names_choices(word):
            raise UserError(f"{word} must be a name, or a list of names, such as {group}={groups[group][0]}")
        elif equals and not set(value) & set("[]{}()") and not _is_readable(word):
            plain.append(f"{key}={_quoted(value)}")
        else:
            plain.append(word)
    return plain


def _is_several(value: str) -> bool:
    """Whether these are words with commas between them, or a module's name, such as 1.10, which is no number."""
    return bool(_MODULE.fullmatch(value)) or ("," in value and _unquoted(value) == value and value[0] not in "[{")


def _names_choices(word: str) -> bool:
    """Whether a word that chooses among configurations has names, or what only Hydra can tell."""
    try:
        value = OverridesParser.create().parse_override(word).value()
    except HydraException:
        return True
    chosen = value if isinstance(value, list) else [value]
    return not any(choice is None or isinstance(choice, bool | int | float | list | dict) for choice in chosen)


def _groups() -> dict[str, list[str]]:
    """The names that each setting which chooses among configurations takes."""
    folders = (path for path in shipped_folder("configs").iterdir() if path.is_dir())
    return {folder.name: sorted(path.stem for path in folder.glob("*.yaml")) for folder in folders}


def _names_a_path(key: str) -> bool:
    """Whether a setting names a file or a folder; the key may begin with ``+`` or ``++``."""
    name = key.lstrip("+").partition("@")[0]
    return name.rpartition(".")[2] in _PATHS and name != _GREY


def _is_plain(value: str) -> bool:
    """Whether a path is as the file system has it, rather than quoted, a list, a dict, or a sweep of Hydra's."""
    if value in ("", "null", "???") or _unquoted(value) != value:
        return False
    return value[0] + value[-1] not in ("[]", "{}") and not re.fullmatch(
        r"(choice|glob|range|shuffle|sort)\(.*\)", value
    )


def _checked(word: str, path: str) -> str:
    """Return ``path``, one of those that ``word`` names, if there could be such a file.

    Raises:
        UserError: a name in it is too long, or its home folder is unknown.
    """
    if any(len(part.encode(errors="surrogateescape")) > _LONGEST for part in path.split("/")):
        raise UserError(f"{shown(word)}: the name of a file or folder has at most {_LONGEST} bytes")
    try:
        Path(path).expanduser()
    except (RuntimeError, ValueError):  # ValueError: a zero byte
        raise UserError(
            f"{word}: the home folder of {path.partition('/')[0]} is unknown; write the whole path"
        ) from None
    return path


def _is_readable(word: str) -> bool:
    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True
