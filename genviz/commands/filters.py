"""genviz filters: a layer's kernels as pictures, or a picture's activation maps."""

from __future__ import annotations

import copy
import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from genviz.classifiers.frozen import FrozenClassifier
from genviz.commands.generated_filters import generate
from genviz.errors import BAD_INPUT, UserError
from genviz.files import atomic_write, prepare_folder, write_text
from genviz.images.given import readable
from genviz.images.pictures import display, read_upright, resize
from genviz.interfaces import Layer, Outline
from genviz.retrieval.kernels import Kernels, kernels, ordered
from genviz.retrieval.tiles import kernel_tile, map_tile, write_pages
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.lists import parse_targets
from genviz.training import build, console

_SIDE, _SMALL, _GENERATED = 96, 42, 160  # of a tile, roughly, in pixels
_OWN = ("layer", "order", "count", "generate")
"""The settings that a training does not have."""


def filters(config: DictConfig) -> int:
    """Write the sheets and the numbers; return the exit code.

    Raises:
        UserError: a setting cannot work, or the layer has nothing to show.
    """
    outline = build.sketch(config.classifier)
    layer = find_layer(str(config.layer), outline.layers)
    if config.image is None and config.order == "loudest":
        raise UserError("order=loudest is for activation maps: give a picture, image=FILE, or order=norm")
    picture = None
    if config.image is not None:
        layer = find_filters(str(config.layer), outline.layers)
        if len(layer.shape) != 3:
            raise UserError(
                f"{layer.name}, {' x '.join(map(str, layer.shape))}, has no rows and columns, and so no maps; "
                "name a convolution, a ReLU or a pooling"
            )
        picture = read_upright(Path(config.image))
    if config.generate:
        find_filters(layer.name, outline.layers)
        build.generator_sha256(config)
    console.warn(build.note(config))
    from genviz.training.logged_pictures import log_pictures  # take seconds
    from genviz.training.looking import looking

    classifier = looking(config)
    found = kernels(classifier, layer) if picture is None else None
    folder = Path(config.paths.outputs).expanduser() / "filters" / build.classifier_name(config)
    if found is not None:
        shown = _kernels(config, found, layer, folder)
    else:
        assert picture is not None
        shown = _maps(config, classifier, layer, picture, folder)
    code = 0
    if config.generate:
        code = _generated(config, shown, layer, outline)
        if code > BAD_INPUT:  # a signal
            return code
    print(f"run         {log_pictures(config, shown.folder, shown.name, shown.sheets)}", flush=True)
    return code


class _Shown(NamedTuple):
    """What is on the sheets."""

    folder: Path
    name: str
    order: list[int]
    sheets: dict[str, Path]


def _generated(config: DictConfig, shown: _Shown, layer: Layer, outline: Outline) -> int:
    """Write sheets of the filters' generated pictures, in the same order; return the exit code of the trainings."""
    text = ",".join(f"filter:{layer.name}:{number}" for number in shown.order)
    targets = parse_targets(text, outline.labels, outline.layers, lambda entry: [entry])
    training = copy.deepcopy(config)
    training.image = None  # each run is that of the filter alone
    code, pictures = generate(training, targets, _OWN)
    if code > BAD_INPUT:
        return code

    def tile(number: int) -> tuple[str, Tensor]:
        picture = pictures[str(targets[number])]
        pixels = torch.full((_GENERATED, _GENERATED, 3), 128, dtype=torch.uint8)
        if picture is not None:
            pixels = display(resize(read_upright(picture), (_GENERATED, _GENERATED))[0])
        return str(shown.order[number]), pixels

    title = f"{layer.name} of {build.classifier_name(config)}: generated pictures of {len(targets)} filters"
    sheets = write_pages(shown.folder, title, len(targets), tile, name="generated")
    shown.sheets.update((sheet.stem, sheet) for sheet in sheets)
    for sheet in sheets:
        print(f"generated   {sheet}", flush=True)
    return code


def _kernels(config: DictConfig, found: Kernels, layer: Layer, folder: Path) -> _Shown:
    weights = found.weights
    order = ordered(weights, config.order or "number")[: config.count]
    place = folder / _as_name(found.layer)
    prepare_folder(place)
    side = _SMALL if found.colours else _SIDE
    norms = weights.flatten(1).norm(dim=1)

    def tile(number: int) -> tuple[str, Tensor]:
        return str(order[number]), kernel_tile(weights[order[number]], side, colours=found.colours)

    size = " x ".join(map(str, weights.shape[2:]))
    title = f"{found.layer} of {build.classifier_name(config)}: {len(weights)} kernels of {size}"
    title += ", in the picture's colours" if found.colours else f" for each of {weights.shape[1]} input channels"
    sheets = write_pages(place, f"{title}; grey is 0", len(order), tile)
    _write_array(place / "kernels.npy", weights)
    _write_table(place / "kernels.csv", ["filter", "norm"], ([f, norms[f]] for f in order))
    if found.layer != layer.name:
        print(f"{layer.name} has the channels of {found.layer}, whose kernels these are")
    _say(title, sheets, [place / "kernels.csv", place / "kernels.npy"])
    return _Shown(place, f"kernels of {found.layer}", order, {sheet.stem: sheet for sheet in sheets})


def _maps(config: DictConfig, classifier: FrozenClassifier, layer: Layer, picture: Tensor, folder: Path) -> _Shown:
    picture = resize(picture, classifier.outline.input_size)
    with torch.no_grad():
        maps = classifier(picture.to(classifier.device), [layer.name])[layer.name][0].float().cpu()
    if not maps.isfinite().all():
        raise UserError(f"the activation of {layer.name} is not finite in {config.image}")
    order = ordered(maps, config.order or "loudest")[: config.count]
    place = folder / _as_name(layer.name) / _as_name(Path(config.image).stem)
    prepare_folder(place)
    loudest, mean = maps.flatten(1).amax(1), maps.flatten(1).mean(1)

    def tile(number: int) -> tuple[str, Tensor]:
        return f"{order[number]}: {loudest[order[number]]:.4g}", map_tile(maps[order[number]], _SIDE)

    title = f"{layer.name} of {build.classifier_name(config)}, {Path(config.image).name}: the maps of {len(order)}"
    title += f" of {len(maps)} filters, each with its maximum; " + ("0 is black" if maps.min() >= 0 else "grey is 0")
    sheets = write_pages(place, title, len(order), tile)
    with atomic_write(place / "picture.png") as file:
        from PIL import Image

        Image.fromarray(display(picture[0]).numpy()).save(file, format="PNG")
    _write_array(place / "maps.npy", maps)
    _write_table(place / "maps.csv", ["filter", "maximum", "mean"], ([f, loudest[f], mean[f]] for f in order))
    _say(title, sheets, [place / "maps.csv", place / "maps.npy"])
    name = f"{layer.name} in {readable(Path(config.image).name)}"
    return _Shown(place, name, order, {sheet.stem: sheet for sheet in sheets})


def _as_name(text: str) -> str:
    return re.sub(r"[^\w.+-]", "_", text)


def _write_array(path: Path, values: Tensor) -> None:
    with atomic_write(path) as file:
        np.save(file, values.numpy())


def _write_table(path: Path, titles: Sequence[str], rows: Iterable[Sequence[int | Tensor]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(titles)
    table.writerows([number, *(f"{float(value):.8g}" for value in values)] for number, *values in rows)
    write_text(path, text.getvalue())


def _say(title: str, sheets: Sequence[Path], files: Sequence[Path]) -> None:
    print(title)
    for sheet in sheets:
        print(f"sheet       {sheet}")
    for file in files:
        print(f"numbers     {file}", flush=True)
