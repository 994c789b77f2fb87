"""genviz filters: a layer's kernels as pictures, or a picture's activation maps."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.files import atomic_write, prepare_folder, write_text
from genviz.images.pictures import display, read_upright, resize
from genviz.interfaces import Layer
from genviz.retrieval.kernels import kernels, ordered
from genviz.retrieval.tiles import kernel_tile, map_tile, write_pages
from genviz.targets.layers import find_filters, find_layer
from genviz.training import build, console

_SIDE, _SMALL = 96, 42  # of a tile, roughly, in pixels


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
    console.warn(build.note(config))
    from genviz.analysis.class_setup import looking  # takes seconds

    classifier = looking(config)
    folder = Path(config.paths.outputs).expanduser() / "filters" / build.classifier_name(config)
    if picture is None:
        _kernels(config, classifier, layer, folder)
    else:
        _maps(config, classifier, layer, picture, folder)
    return 0


def _kernels(config: DictConfig, classifier: FrozenClassifier, layer: Layer, folder: Path) -> None:
    found = kernels(classifier, layer)
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


def _maps(config: DictConfig, classifier: FrozenClassifier, layer: Layer, picture: Tensor, folder: Path) -> None:
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
