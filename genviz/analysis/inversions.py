"""How well each layer can be inverted, over several pictures (Mahendran & Vedaldi 2016, Table 5)."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

import torch
from omegaconf import DictConfig, ListConfig, open_dict
from tqdm.auto import tqdm

from genviz.analysis.inversion_table import Cell, ErrorsTable
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.files import put_aside, read_json, set_aside, sha256, write_text
from genviz.images.folders import apart, find_pictures
from genviz.images.given import readable
from genviz.images.pictures import display, read_image, read_sound, read_upright, resize, write_png
from genviz.images.randomness import Streams
from genviz.images.sheet import write_sheet
from genviz.interfaces import SCORES, Classifier, Outline
from genviz.objectives.inversion import Inversion
from genviz.objectives.sum import Sum
from genviz.targets.grammar import Target, parse_target
from genviz.targets.layers import find_layer
from genviz.training import build, fingerprint
from genviz.training.allocator import keep_freed_memory
from genviz.training.leftovers import make_folders, make_way
from genviz.training.run_folders import claimed
from genviz.training.trainer import fit, make_trainer

_AT_ONCE = 8  # on a GPU
_SHOWN = re.compile(r"(conv|relu|pool|fire|fc|norm)[\d_]*|scores")


def invert(config: DictConfig) -> int:
    """Invert each layer for each picture at each strength; return the program's exit code.

    The error ||Phi(x) - Phi_0|| / ||Phi_0|| is measured on the PNG, as read back from the disk.

    Raises:
        UserError: a setting cannot work, or the folder holds a table made with other settings.
    """
    keep_freed_memory()
    pictures = _pictures(config)
    layers = _layers(config, build.sketch(config.classifier))
    classifier = build.classifier(config.classifier)
    folder = Path(config.paths.outputs).expanduser() / "invert" / str(config.name)
    with claimed(folder, apart="name=NAME"):
        _make(config, folder, classifier, pictures, layers)
    return 0


def _make(
    config: DictConfig, folder: Path, classifier: Classifier, pictures: Mapping[str, Path], layers: Sequence[str]
) -> None:
    table = _begin(config, folder, classifier)
    device = "cuda" if torch.cuda.is_available() and config.trainer.accelerator != "cpu" else "cpu"
    at_once = config.batch if config.batch != "auto" else _AT_ONCE if device == "cuda" else 1
    strengths = list(dict.fromkeys(float(strength) for strength in config.strengths))
    hashes = {name: sha256(path)[:16] for name, path in pictures.items()}
    cells = {
        (layer, strength): [Cell(layer, strength, name, digest) for name, digest in hashes.items()]
        for layer in layers
        for strength in strengths
    }
    left = {place: [cell for cell in row if not _is_done(cell, table, folder)] for place, row in cells.items()}
    count = sum(len(row) for row in cells.values())
    done = count - sum(len(row) for row in left.values())
    with tqdm(total=count, initial=done, unit="picture", dynamic_ncols=True) as bar:
        for (layer, strength), row in left.items():
            for first in range(0, len(row), at_once):
                chunk = row[first : first + at_once]
                bar.set_description(f"{layer}, C = {strength:g}")
                begun = time.monotonic()
                errors = _invert(config, classifier, chunk, [pictures[cell.picture] for cell in chunk], folder)
                table.add(chunk, errors, (time.monotonic() - begun) / len(chunk))
                bar.set_postfix_str(f"error {100 * mean(errors):.1f} %", refresh=False)
                bar.update(len(chunk))
    _end(folder, layers, strengths, cells, table)


def _is_done(cell: Cell, table: ErrorsTable, folder: Path) -> bool:
    path = folder / "pictures" / cell.file
    if cell not in table.errors or not path.exists():
        return False
    if read_sound(path) is None:
        put_aside(path, "is damaged")
        return False
    return True


def _invert(
    config: DictConfig, classifier: Classifier, cells: Sequence[Cell], pictures: Sequence[Path], folder: Path
) -> list[float]:
    """Invert a layer's code of each picture, write the results, and measure the files.

    Raises:
        UserError: a result is not finite.
    """
    layer, strength = cells[0][:2]
    target = parse_target(f"layer:{layer}", classifier.outline.labels, classifier.outline.layers)
    references = torch.cat([resize(read_upright(path), classifier.outline.input_size) for path in pictures])
    objective = Inversion(target, image=references, weight=strength)
    coupling = _couple(config, classifier, target, objective, len(pictures))
    fit(make_trainer(build.plain(config)["trainer"], [], updates=config.updates), coupling, config.updates)
    images = coupling.settled()
    if not images.isfinite().all():
        raise UserError(f"{layer} at C = {strength:g}: the picture is no longer finite; try a smaller optimizer.lr")
    for image, cell in zip(images, cells, strict=True):
        write_png(folder / "pictures" / cell.file, display(image), quick=True)
    written = torch.cat([read_image(folder / "pictures" / cell.file) for cell in cells])
    with torch.no_grad():
        seen = classifier(written.to(classifier.device), objective.layers)
    return objective.measure(seen)["normalized error"].tolist()


def _couple(config: DictConfig, classifier: Classifier, target: Target, objective: Inversion, images: int) -> Coupling:
    with open_dict(config):
        settled = config.copy()
    build.settle(settled, target, classifier)
    streams = Streams([config.seed] * images)  # every picture starts from the same noise, whatever its batch
    return Coupling(
        generator=build.generator(settled, streams),
        classifier=classifier,
        objective=Sum({"inversion": objective}),
        target=target,
        optimizer=build.optimizer(settled),
        regularizers=build.regularizers(settled),
        transforms=build.transforms(settled),
        streams=streams,
    )


def _begin(config: DictConfig, folder: Path, classifier: Classifier) -> ErrorsTable:
    alike = fingerprint.of_inversions(config, classifier.weights_sha256)
    known, path = folder / "identity.json", folder / "errors.csv"
    if not config.resume:
        set_aside(folder)
    if path.exists() and (made := _identity(known, alike)) != alike:
        changed = [key for key in {**made, **alike} if made.get(key) != alike.get(key)]
        raise UserError(
            f"{folder} holds a table made with other settings ({', '.join(changed[:3])}); "
            "name=NAME keeps both, resume=false starts over (the old files are renamed)"
        )
    make_folders((folder, folder / "pictures"))
    make_way([known])
    write_text(known, json.dumps(alike, indent=2) + "\n")
    return ErrorsTable(path)


def _identity(known: Path, alike: dict[str, str]) -> dict[str, str]:
    """The settings of the table that is there; ``alike`` if nothing tells them.

    Raises:
        UserError: the file is damaged.
    """
    if not known.exists():
        return alike
    try:
        made = read_json(known)
    except ValueError:
        made = None
    if not isinstance(made, dict):
        raise UserError(f"{known} is damaged; resume=false starts over (the old files are renamed)")
    return made


def _end(
    folder: Path,
    layers: Sequence[str],
    strengths: Sequence[float],
    cells: Mapping[tuple[str, float], Sequence[Cell]],
    table: ErrorsTable,
) -> None:
    lines = ["| C | " + " | ".join(layers) + " |", "|---" * (len(layers) + 1) + "|"]
    rows = []
    for strength in strengths:
        summaries = [table.summary(cells[layer, strength]) for layer in layers]
        lines.append(f"| {strength:g} | " + " | ".join(summaries) + " |")
        shown = [cells[layer, strength][0] for layer in layers]
        rows.append([(f"{c.layer}, {100 * table.errors[c]:.0f} %", folder / "pictures" / c.file) for c in shown])
    write_text(folder / "errors.md", "\n".join(lines) + "\n")
    write_sheet(folder / "sheet.png", rows)
    count = len(cells[layers[0], strengths[0]])
    over = "of one picture" if count == 1 else f"mean ± standard deviation over {count} pictures"
    print(f"normalized error in percent, {over}, by layer and C:\n")
    print("\n".join(lines))
    print(f"\ntable       {table.path}\nsheet       {folder / 'sheet.png'}", flush=True)


def _layers(config: DictConfig, outline: Outline) -> list[str]:
    names = config.layers
    if names is None:
        found = [layer.name for layer in outline.layers if _SHOWN.fullmatch(layer.name)]
        if found == [SCORES] and len(outline.layers) > 1:
            raise UserError("say which layers, layers=[NAME,NAME]; genviz layers CLASSIFIER lists them")
        return found or [outline.layers[-1].name]
    if not isinstance(names, ListConfig) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"layers={names} must be a list of layers, such as layers=[relu1,relu2]")
    return [find_layer(name, outline.layers).name for name in names]


def _pictures(config: DictConfig) -> dict[str, Path]:
    """The pictures, each by its path below the folder, in readable form."""
    given = Path(str(config.pictures)).expanduser()
    if given.is_file():
        found = {readable(given.name): given}
    else:
        root, _ = apart(given)
        pictures = find_pictures(given, "pictures").pictures[: config.count]
        found = {readable(path.relative_to(root)): path for path in pictures}
    for path in found.values():
        read_upright(path)
    return found
