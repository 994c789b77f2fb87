"""genviz patches: the real pictures that make filters fire most, and the generated ones beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig, OmegaConf
from tqdm.auto import tqdm

from genviz.commands.generated_filters import generate
from genviz.errors import BAD_INPUT, UserError
from genviz.files import prepare_folder, write_text
from genviz.images.folders import apart, distinct, find_pictures
from genviz.interfaces import Layer, Outline
from genviz.retrieval.filter_settings import words_of
from genviz.targets.grammar import Target
from genviz.targets.layers import find_filters
from genviz.targets.lists import Choose, parse_targets
from genviz.targets.selections import stand_in
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory

if TYPE_CHECKING:
    from genviz.classifiers.frozen import FrozenClassifier
    from genviz.retrieval.patches import Patches
    from genviz.retrieval.strongest import Folder, Strongest

_OWN = ("data", "layer", "filters", "generate")
"""The settings that a training does not have."""
_PATIENCE = 2.0  # seconds before a progress bar is shown


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
    every = find_pictures(config.data, "data").pictures
    if config.generate:  # before the pass, which may take hours
        build.generator_sha256(config)
    from genviz.analysis.class_setup import choosing, looking  # takes seconds
    from genviz.retrieval.features import identity_of
    from genviz.retrieval.strongest import Folder, strongest

    keep_freed_memory()
    console.warn(naming.note(config))
    choose = choosing(config)
    chosen = {layer.name: _filters(config, layer, outline, choose) for layer in layers}
    paths = distinct(every)
    classifier, folder = looking(config), Folder(root, paths, len(every) - len(paths))
    kept = Path(config.paths.outputs).expanduser() / "seen"
    found = strongest(folder, classifier, layers, identity=identity_of(classifier), kept=kept)
    code, generated = 0, None
    if config.generate:
        code, generated = generate(config, [target for layer in layers for target in chosen[layer.name]], _OWN)
        if code > BAD_INPUT:  # a signal
            return code
    from genviz.training.logged_pictures import log_pictures

    for layer in layers:
        place, sheets = _write(config, classifier, layer, chosen[layer.name], found[layer.name], folder, generated)
        where = log_pictures(config, place, f"patches of {layer.name}", {sheet.stem: sheet for sheet in sheets})
        print(f"run         {where}", flush=True)
    return code


def _write(
    config: DictConfig,
    classifier: FrozenClassifier,
    layer: Layer,
    targets: Sequence[Target],
    found: Strongest,
    folder: Folder,
    generated: Mapping[str, Path | None] | None,
) -> tuple[Path, list[Path]]:
    """Write the sheets and the table of some filters of a layer; return their folder, and the sheets."""
    from genviz.retrieval.cut import box_of
    from genviz.retrieval.figure import write_figures
    from genviz.retrieval.patches import area_of, patches, rows_of, table

    name = naming.classifier_name(config)
    place = Path(config.paths.outputs).expanduser() / "patches" / name / layer.name.replace("/", "-")
    prepare_folder(place)
    rows: list[list[str | int]] = []
    silent = 0

    def noted() -> Iterator[Patches]:
        nonlocal silent
        made = patches(classifier, layer, [target.units[0].index[0] for target in targets], found, folder)
        for each in tqdm(made, layer.name, len(targets), unit="filter", delay=_PATIENCE, dynamic_ncols=True):
            rows.extend(rows_of(each))
            silent += not each.patches
            yield each

    box = box_of((0, 0), area_of(classifier, layer), classifier.outline.input_size)
    sides = box.bottom - box.top, box.right - box.left
    seen = "the whole picture" if sides == classifier.outline.input_size else f"{sides[0]} x {sides[1]} pixels"
    pictures = None if generated is None else [generated[str(target)] for target in targets]
    title = f"{layer.name} of {name}; a position sees {seen}"
    sheets = write_figures(place, title, noted(), len(targets), pictures)
    write_text(place / "patches.csv", table(rows))
    none = f", of which {silent} fire in none of the pictures" if silent else ""
    print(f"{layer.name}: {len(targets)} filter{'s' * (len(targets) > 1)}{none}")
    for sheet in sheets:
        print(f"sheet       {sheet}")
    print(f"table       {place / 'patches.csv'}")
    return place, sheets


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
