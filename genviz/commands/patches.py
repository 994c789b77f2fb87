"""genviz patches: the real pictures that make filters fire most, and the generated ones beside them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf, open_dict

from genviz.errors import UserError
from genviz.files import prepare_folder, write_text
from genviz.images.folders import apart, find_pictures
from genviz.interfaces import Layer, Outline
from genviz.retrieval.settings import words_of
from genviz.targets.grammar import Target
from genviz.targets.layers import find_filters
from genviz.targets.lists import Choose, parse_targets
from genviz.targets.selections import stand_in
from genviz.training import build, console
from genviz.training.allocator import keep_freed_memory

if TYPE_CHECKING:
    from genviz.retrieval.patches import Patches

_OWN = ("data", "layer", "filters", "generate")
"""The settings that a training does not have."""


def patches(config: DictConfig) -> int:
    """Write the sheets and tables of the configured filters; return the exit code.

    Raises:
        UserError: a setting cannot work, or there is no picture that can be decoded.
    """
    outline = build.sketch(config.classifier)
    layers = _layers(config, outline)
    for layer in layers:
        _filters(config, layer, outline, lambda entry: [stand_in(entry, outline)])
    root = apart(config.data)[0]
    paths = find_pictures(config.data, "data").pictures
    if config.generate:  # before the pass, which may take hours
        build.generator_sha256(config)
    from genviz.analysis.class_setup import choosing, looking  # takes seconds
    from genviz.analysis.feature_cache import identity_of
    from genviz.retrieval.figure import write_figures
    from genviz.retrieval.patches import field_of, table
    from genviz.retrieval.patches import patches as cut
    from genviz.retrieval.strongest import Folder, strongest

    keep_freed_memory()
    console.warn(build.note(config))
    choose = choosing(config)
    chosen = {layer.name: _filters(config, layer, outline, choose) for layer in layers}
    classifier, folder = looking(config), Folder(root, paths)
    outputs = Path(config.paths.outputs).expanduser()
    found = strongest(folder, classifier, layers, identity=identity_of(classifier), kept=outputs / "seen")
    made = {
        layer.name: list(cut(classifier, layer, _numbers(chosen[layer.name]), found[layer.name], folder))
        for layer in layers
    }
    generated: dict[str, list[Path | None]] = {}
    if config.generate:
        code, pictures = _generate(config, [target for layer in layers for target in chosen[layer.name]])
        if code > 2:
            return code
        generated = {name: [pictures[str(target)] for target in targets] for name, targets in chosen.items()}
    for layer in layers:
        place = outputs / "patches" / build.classifier_name(config) / layer.name.replace("/", "-")
        prepare_folder(place)
        write_text(place / "patches.csv", table(made[layer.name]))
        field, name = field_of(classifier, layer), layer.name
        side = max(outline.input_size) if field is None else field.size
        title = f"{name} of {build.classifier_name(config)}; a position sees {side} x {side} pixels" + (
            "" if field is not None and side < min(outline.input_size) else ", the whole picture"
        )
        sheets = write_figures(place, title, made[name], generated.get(name))
        print(f"{name}: {_told(made[name])}")
        for sheet in sheets:
            print(f"sheet       {sheet}")
        print(f"table       {place / 'patches.csv'}", flush=True)
    return 0


def _layers(config: DictConfig, outline: Outline) -> list[Layer]:
    value = OmegaConf.to_container(config.layer) if OmegaConf.is_config(config.layer) else config.layer
    found = [find_filters(word, outline.layers) for word in words_of(value, "layer")]
    return list({layer.name: layer for layer in found}.values())


def _filters(config: DictConfig, layer: Layer, outline: Outline, choose: Choose) -> list[Target]:
    """The configured filters of ``layer``."""
    value = OmegaConf.to_container(config.filters) if OmegaConf.is_config(config.filters) else config.filters
    words = words_of(value, "filters")
    if odd := [word for word in words if "+" in word or "@" in word]:
        raise UserError(f"filters={odd[0]}: name single filters, such as filters=3,7 or 0-8 or top9:harmonica or all")
    text = ",".join(f"filter:{layer.name}:{word}" for word in words)
    found = {}
    for target in parse_targets(text, outline.labels, outline.layers, choose):
        found[str(target)] = target
    return list(found.values())


def _numbers(targets: Sequence[Target]) -> list[int]:
    return [target.units[0].index[0] for target in targets]


def _generate(config: DictConfig, targets: Sequence[Target]) -> tuple[int, dict[str, Path | None]]:
    """Train for each of ``targets`` as ``genviz train`` does; return the exit code, and the pictures that there are."""
    from genviz.sweeps.sweep import sweep
    from genviz.training.run_folders import RunFolders

    own = copy.deepcopy(config)
    with open_dict(own):
        for name in _OWN:
            del own[name]
        own.target, own.targets = None, ",".join(map(str, targets))
    code = sweep(own, targets)
    names = build.names(own)
    pictures = {str(target): RunFolders.of(own, target, names).picture for target in targets}
    return code, {name: path if path.exists() else None for name, path in pictures.items()}


def _told(found: Sequence[Patches]) -> str:
    silent = sum(not each.patches for each in found)
    return f"{len(found)} filters" + (f", of which {silent} fire in none of the pictures" if silent else "")
