"""The ``--help`` of a command with settings: each with its default, its kind and a line of help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.object_type import ObjectType
from omegaconf import DictConfig, OmegaConf

from genviz.files import shipped_folder
from genviz.training.configuration import plain_words
from genviz.training.schema import LARGEST

if TYPE_CHECKING:
    from genviz.training.schema import Settings

_NOT_SHOWN = ("hydra", "command", "choices", "panels")
_PLAIN = ("a word", "a file", "a folder", "true or false", "1")
"""Kinds that are clear from the default or the help."""
_WIDTH = 34


def help_of(name: str, settings: type[Settings], words: Sequence[str]) -> str:
    """The help of the command ``name``, with the values that its settings have after these ``words``.

    Args:
        settings: their schema.
    """
    with hydra.initialize_config_dir(str(shipped_folder("configs")), version_base="1.3"):
        config = hydra.compose(name, plain_words(words), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        told = OmegaConf.to_container(config.hydra.help)
        groups = _groups(name)
    assert isinstance(told, dict)
    listed = list(settings.listed())
    lines = [str(told["header"]).rstrip(), "", "Settings:"]
    for setting in listed:
        group, _, last = setting.name.rpartition(".")
        parent = OmegaConf.select(config, group) if group else config
        if last not in parent.keys() or OmegaConf.is_dict(value := parent._get_node(last)):  # noqa: SIM118 - a missing one, too
            continue
        value = "" if OmegaConf.is_missing(parent, last) else parent[last]
        given = f"{setting.name}={_shown(value)}"
        kind = "" if setting.kind in _PLAIN else f" ({setting.kind.partition(';')[0].replace(f' to {LARGEST}', ' up')})"
        lines.append(f"  {given}{' ' * max(2, _WIDTH - len(given))}{setting.help}{kind}")
    lines += ["", "Parts (part=choice):", *(f"  {group}: {', '.join(options)}" for group, options in groups.items())]
    lines += ["", "Settings of the parts:", _rest(config, {setting.name for setting in listed})]
    lines += [str(told.get("footer", "")).rstrip()]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if OmegaConf.is_config(value):
        value = OmegaConf.to_container(value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _groups(name: str) -> dict[str, list[str]]:
    """The command's groups of parts, with the choices in each."""
    defaults, own = [name], []
    for config in defaults:  # grows, as a config may include others
        for entry in OmegaConf.load(shipped_folder("configs") / f"{config}.yaml").defaults:
            if isinstance(entry, str):
                defaults += [] if entry == "_self_" else [entry]
            else:
                own += [str(group).removeprefix("optional ").partition("@")[0] for group in entry]
    loader = GlobalHydra.instance().config_loader()
    options = {group: loader.get_group_options(group, ObjectType.CONFIG) for group in dict.fromkeys(own)}
    return {group: [str(option) for option in known] for group, known in options.items() if known and "/" not in group}


def _rest(config: DictConfig, listed: set[str]) -> str:
    """The settings that the schema does not list, as YAML: the constructors' own arguments."""
    plain = OmegaConf.to_container(config, throw_on_missing=False)
    assert isinstance(plain, dict)

    def pruned(settings: dict[Any, Any], prefix: str) -> dict[Any, Any]:
        kept = {}
        for key, value in settings.items():
            name = f"{prefix}{key}"
            if name in listed and not isinstance(value, dict):
                continue
            value = pruned(value, f"{name}.") if isinstance(value, dict) and value else value
            if value != {} or name not in listed:
                kept[key] = value
        return {key: value for key, value in kept.items() if value != {}}

    rest = pruned({key: value for key, value in plain.items() if key not in _NOT_SHOWN}, "")
    return "\n".join(f"  {line}" for line in OmegaConf.to_yaml(OmegaConf.create(rest)).splitlines())
