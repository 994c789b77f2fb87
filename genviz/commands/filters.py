"""genviz filters: a layer's kernels as pictures, or a picture's activation maps."""

from __future__ import annotations

import copy
import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm.auto import tqdm

from genviz.attribution.projection import Projection, projected
from genviz.classifiers.frozen import FrozenClassifier
from genviz.commands.generated_filters import generate
from genviz.errors import BAD_INPUT, UserError
from genviz.files import atomic_write, prepare_folder, write_text
from genviz.images.given import folder_for, name_for, readable
from genviz.images.maps import signed_picture
from genviz.images.pictures import display, read_upright, resize, write_png
from genviz.images.sheet import write_sheet
from genviz.interfaces import Layer, Outline
from genviz.retrieval.filter_settings import words_of
from genviz.retrieval.kernels import Kernels, kernels, ordered
from genviz.retrieval.tiles import kernel_tile, map_tile, write_pages
from genviz.targets.layers import find_filters, find_layer
from genviz.targets.lists import parse_targets
from genviz.training import build, console, naming

_SIDE, _SMALL, _GENERATED = 96, 42, 160  # of a tile, roughly, in pixels
_OWN = ("layer", "order", "count", "project", "generate")
"""The settings that a training does not have."""


def filters(config: DictConfig) -> int:
    """Write the sheets and the numbers; return the exit code.

    Raises:
        UserError: a setting cannot work, or the layer has nothing to show.
    """
    outline = build.sketch(config.classifier)
    if config.image is None and config.order == "loudest":
        raise UserError("order=loudest is for activation maps: give a picture, image=FILE, or order=norm")
    words, picture = words_of(OmegaConf.to_container(config)["layer"], "layer"), None  # type: ignore[call-overload,index]
    layers = [find_layer(word, outline.layers) for word in words]
    if config.image is not None:
        layers = [_with_maps(word, outline) for word in words]
        picture = read_upright(_image(config))
    if config.generate:
        for layer in layers:
            find_filters(layer.name, outline.layers)
        build.generator_sha256(config)
    console.warn(naming.note(config))
    from genviz.training.logged_pictures import log_pictures  # take seconds
    from genviz.training.looking import looking

    classifier = looking(config)
    folder = Path(config.paths.outputs).expanduser() / "filters" / naming.classifier_name(config)
    found = kernels(classifier, layers[0]) if picture is None else None
    code, several = 0, []
    for layer in layers:
        if found is not None:
            shown = _kernels(config, found, layer, folder)
        else:
            assert picture is not None
            shown = _maps(config, classifier, layer, picture, folder)
        several.append(shown)
        if config.generate:
            code = max(code, _generated(config, shown, layer, outline))
            if code > BAD_INPUT:  # a signal
                return code
        print(f"run         {log_pictures(config, shown.folder, shown.name, shown.sheets)}", flush=True)
    if len(several) > 1:
        print(f"figure      {_by_layer(config, several, [layer.name for layer in layers], folder)}", flush=True)
    return code


def _with_maps(name: str, outline: Outline) -> Layer:
    layer = find_filters(name, outline.layers)
    if len(layer.shape) != 3:
        raise UserError(
            f"{layer.name}, {' x '.join(map(str, layer.shape))}, has no rows and columns, and so no maps; "
            "name a convolution, a ReLU or a pooling layer"
        )
    return layer


def _by_layer(config: DictConfig, several: Sequence[_Shown], names: Sequence[str], folder: Path) -> Path:
    """The picture, and the first map of each layer, or what it is made of, side by side."""
    tiles = [("picture", several[0].folder / "picture.png")]
    tiles += [
        (f"{name}: {shown.order[0]}", shown.folder / "first.png") for name, shown in zip(names, several, strict=True)
    ]
    across = math.ceil(math.sqrt(1.5 * len(tiles)))
    image = _image(config)
    name = name_for(_as_name(image.stem), image, lambda one: folder / f"layers-{one}.txt")
    path = folder / f"layers-{name}.png"
    write_sheet(path, [tiles[first : first + across] for first in range(0, len(tiles), across)], 224, least=128)
    return path


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
            image = read_upright(picture)
            rows, columns = (max(1, round(_GENERATED * side / max(image.shape[2:]))) for side in image.shape[2:])
            top, left = (_GENERATED - rows) // 2, (_GENERATED - columns) // 2
            pixels[top : top + rows, left : left + columns] = display(resize(image, (rows, columns))[0])
        return str(shown.order[number]), pixels

    title = f"{layer.name} of {naming.classifier_name(config)}: generated pictures of {len(targets)} filters"
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
    title = f"{found.layer} of {naming.classifier_name(config)}: {len(weights)} kernels of {size}"
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
    image = _image(config)
    place = folder_for(folder / _as_name(layer.name), _as_name(image.stem), image)
    prepare_folder(place)
    loudest, mean = maps.flatten(1).amax(1), maps.flatten(1).mean(1)
    signed = bool(maps.min() < 0)

    def tile(number: int) -> tuple[str, Tensor]:
        return f"{order[number]}: {loudest[order[number]]:.4g}", map_tile(maps[order[number]], _SIDE, signed=signed)

    title = f"{layer.name} of {naming.classifier_name(config)}, {readable(image.name)}: the maps of {len(order)}"
    title += f" of {len(maps)} filters, each with its maximum; " + ("grey is 0" if signed else "0 is black")
    sheets = write_pages(place, title, len(order), tile)
    write_png(place / "picture.png", display(picture[0]))
    first = tile(0)[1]
    if config.project is not None:
        seen = [_projected(classifier, picture, layer.name, number, config.project) for number in tqdm(order, delay=2)]
        made_of = f"{title.partition(':')[0]}: what the maps of {len(order)} filters are made of, by {config.project}"
        first, size = seen[0], max(1, _GENERATED // max(seen[0].shape[:2]))
        larger = [one.repeat_interleave(size, 0).repeat_interleave(size, 1) for one in seen]
        sheets += write_pages(
            place, f"{made_of}; 0 is grey", len(order), lambda n: (str(order[n]), larger[n]), name=config.project
        )
    write_png(place / "first.png", first.contiguous())
    _write_array(place / "maps.npy", maps)
    _write_table(place / "maps.csv", ["filter", "maximum", "mean"], ([f, loudest[f], mean[f]] for f in order))
    _say(title, sheets, [place / "maps.csv", place / "maps.npy"])
    name = f"{layer.name} in {readable(image.name)}"
    return _Shown(place, name, order, {sheet.stem: sheet for sheet in sheets})


def _projected(classifier: FrozenClassifier, picture: Tensor, layer: str, number: int, method: Projection) -> Tensor:
    """What of the picture a map is made of, as bytes (h, w, 3)."""
    return signed_picture(projected(classifier, picture.to(classifier.device), layer, number, method)[0])


def _image(config: DictConfig) -> Path:
    return Path(config.image).expanduser()


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
