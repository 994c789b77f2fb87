"""A table of how much each filter of a layer contributes to a class."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from omegaconf import DictConfig

from genviz.analysis.class_setup import check_folder, one_class, pictures_of
from genviz.analysis.contributions import check_method
from genviz.analysis.contributions import contributions as measure
from genviz.files import prepare_folder, write_text
from genviz.images.pictures import display, write_png
from genviz.images.sheet import write_sheet
from genviz.targets.layers import find_filters
from genviz.targets.selections import check_filters, usual_layer
from genviz.training import build, console, naming
from genviz.training.allocator import keep_freed_memory
from genviz.training.looking import looking


def contributions(config: DictConfig) -> int:
    """Print and write each filter's contribution, with the pictures used; return the program's exit code.

    Raises:
        UserError: a setting cannot work, or no filter contributes.
    """
    keep_freed_memory()
    outline = build.sketch(config.classifier)
    target, number = one_class(config, outline)
    layer = usual_layer(outline) if config.layer is None else find_filters(config.layer, outline.layers)
    check_filters(layer, outline)
    check_method(config.method)
    check_folder(config)
    console.warn(naming.note(config))
    classifier = looking(config)
    shown = pictures_of(config, classifier)(number)
    found = measure(classifier, number, layer.name, shown.images, method=config.method)
    name = naming.classifier_name(config)
    folder = Path(config.paths.outputs).expanduser() / "contributions" / name / target.folder / layer.name
    prepare_folder(folder)
    order = found.ranked()
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["filter", "contribution", "share"])
    table.writerows([[f, f"{found.values[f]:.8g}", f"{found.share([f]):.6g}"] for f in order])
    write_text(folder / "contributions.csv", text.getvalue())
    tiles = [(folder / "pictures" / f"{number:03}.png", called) for number, called in enumerate(shown.names)]
    for old in set((folder / "pictures").glob("*.png")) - {path for path, _ in tiles}:
        old.unlink()  # of an earlier table, of more pictures
    for image, (path, _) in zip(shown.images, tiles, strict=True):
        write_png(path, display(image), quick=True)
    rows = [[(called, path) for path, called in tiles[first : first + 5]] for first in range(0, len(tiles), 5)]
    write_sheet(folder / "sheet.png", rows, 200)
    print(f"\ncontributions of the filters of {layer.name} to {outline.labels[number]}, in {shown.told}\n")
    print("filter  contribution   share")
    for filter_ in order[: config.top]:
        print(f"{filter_:6}  {found.values[filter_]:12.4g}  {found.share([filter_]):6.1%}")
    print(f"\ntable       {folder / 'contributions.csv'}\nsheet       {folder / 'sheet.png'}", flush=True)
    return 0
