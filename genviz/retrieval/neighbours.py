"""The pictures of a folder that are nearest to another, as a network sees them (Krizhevsky et al. 2012, figure 4)."""

from __future__ import annotations

import csv
import io
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from omegaconf import DictConfig

from genviz.classifiers.frozen import FrozenClassifier
from genviz.files import prepare_folder, write_text
from genviz.images.folders import find_pictures
from genviz.images.given import folder_for, readable
from genviz.images.pictures import UNREADABLE, display, read_picture, read_upright, resize, write_png
from genviz.images.sheet import write_sheet
from genviz.interfaces import Outline
from genviz.retrieval.features import CALLED, FEATURES, Features, Kept, called_in, feature_layer, look, see
from genviz.retrieval.generated import generated
from genviz.retrieval.nearest import nearest
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.logged_pictures import log_pictures
from genviz.training.looking import looking

_THUMBNAIL, _LONGEST = 160, 320  # shorter side, and the longer one at most, in pixels
_GREY = 0.875  # of a picture that is gone
_COLUMNS = 7  # of the sheet


class _Query(NamedTuple):
    """Whose neighbours are found."""

    picture: Path
    name: str
    folder: str
    """Its name as a folder's."""


def neighbours(config: DictConfig) -> int:
    """Write a sheet and a table of the nearest pictures; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or a picture cannot be read.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    kept = Kept(feature_layer(outline, config.layer), config.pooling)
    find_pictures(config.data, kept.setting)
    if config.target is None:
        path = Path(config.image).expanduser()
        read_upright(path)
        query = _Query(path, readable(path.name), as_folder(path.stem))
    else:
        target = build.target(config, outline)
        code, picture = generated(config, target)
        if code:
            return code
        query = _Query(picture, str(target), target.folder)
    console.warn(naming.note(config))
    classifier = looking(config)
    features = look(config.data, classifier, kept, cache=seen_in(config))
    numbers, far = nearest(features, _of_query(query.picture, features, classifier, kept), config.count, config.metric)
    folder = folder_for(folder_of(config, "neighbours") / as_folder(kept.layer), query.folder, query.picture)
    _write(folder, query, features, numbers[0], far[0], outline)
    print(f"the {len(far[0])} nearest of {len(features.names):,} pictures to {query.name} in {kept.layer}\n")
    print(f"{config.metric:>10}  called                    picture")
    for number, distance in zip(numbers[0], far[0], strict=True):
        called = called_in(outline, int(features.others[CALLED][number, 0]))
        print(f"{distance:10.4g}  {called[:24]:24}  {readable(features.names[number])}")
    where = log_pictures(config, folder, f"neighbours of {query.name}", {"neighbours": folder / "sheet.png"})
    print(f"\nsheet       {folder / 'sheet.png'}\ntable       {folder / 'neighbours.csv'}")
    print(f"run         {where}", flush=True)
    return 0


def seen_in(config: DictConfig) -> Path:
    """The folder of what was seen in pictures."""
    return Path(config.paths.outputs).expanduser() / "seen"


def folder_of(config: DictConfig, command: str) -> Path:
    """Where a command writes what it finds with the configured classifier."""
    return Path(config.paths.outputs).expanduser() / command / naming.classifier_name(config)


def as_folder(name: str) -> str:
    """A name as a folder's."""
    return re.sub(r"[^\w.+-]", "_", readable(name))[:100].lstrip(".") or "_"


def _of_query(picture: Path, features: Features, classifier: FrozenClassifier, kept: Kept) -> np.ndarray:
    """The features of the query, (1, width): those that are kept, if it is one of the folder's pictures."""
    below = os.path.relpath(picture, features.root)
    if below in features.names:
        return features.stored[features.rows[[features.names.index(below)]]]
    image = resize(read_upright(picture), classifier.outline.input_size)
    return see(classifier, image, kept)[FEATURES]


def _write(
    folder: Path, query: _Query, features: Features, numbers: np.ndarray, far: np.ndarray, outline: Outline
) -> None:
    prepare_folder(folder)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["place", "picture", "distance", "called", "number"])
    tiles = [(f"of {query.name}", _thumbnail(query.picture, folder / "query.png"))]
    for place, (number, distance) in enumerate(zip(numbers.tolist(), far.tolist(), strict=True), 1):
        name, called = features.names[number], int(features.others[CALLED][number, 0])
        table.writerow([place, readable(features.root / name), f"{distance:.8g}", called_in(outline, called), called])
        path = _thumbnail(features.root / name, folder / f"nearest-{place:02}.png")
        tiles.append((f"{distance:.4g}  {readable(Path(name).name)}", path))
    write_text(folder / "neighbours.csv", text.getvalue())
    for path in set(folder.glob("nearest-*.png")) - {path for _, path in tiles}:  # of an earlier call
        path.unlink()
    rows = [tiles[first : first + _COLUMNS] for first in range(0, len(tiles), _COLUMNS)]
    write_sheet(folder / "sheet.png", rows, _THUMBNAIL)


def _thumbnail(picture: Path, path: Path) -> Path:
    """Write ``picture`` to ``path``, resized to that shorter side, but at most twice as long; grey if it is gone."""
    try:
        image = read_picture(picture, _THUMBNAIL)[None] / 255
    except UNREADABLE:
        image = torch.full((1, 3, _THUMBNAIL, _THUMBNAIL), _GREY)
    sides = image.shape[2:]
    scale = min(_THUMBNAIL / min(sides), _LONGEST / max(sides))
    rows, columns = (max(1, round(scale * side)) for side in sides)
    write_png(path, display(resize(image, (rows, columns))[0]), quick=True)
    return path
