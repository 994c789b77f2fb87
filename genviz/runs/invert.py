"""How well each layer can be inverted, over several pictures (Mahendran & Vedaldi 2016, Table 5)."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, open_dict
from torch.utils.data import DataLoader
from tqdm import tqdm

from genviz import build, identity
from genviz.coupling import Coupling
from genviz.errors import UserError
from genviz.files import prepare_folder, set_aside, write_text
from genviz.folders import find_pictures
from genviz.images import display, read_image, read_upright, resize, write_png
from genviz.interfaces import Classifier, Outline
from genviz.memory import keep_freed_memory
from genviz.objectives.inversion import Inversion
from genviz.objectives.together import Together
from genviz.randomness import Streams
from genviz.runs.trainer import make_trainer
from genviz.sheet import write_sheet
from genviz.targets import Target, parse_target

_FIELDS = ("layer", "C", "picture", "error", "seconds")
_AT_ONCE = 8  # on a GPU
_SHOWN = re.compile(r"(conv|relu|pool|fire|fc|norm)[\d_]*|scores")


class Cell(NamedTuple):
    """One inversion."""

    layer: str
    strength: float
    picture: str
    """Its path below the folder."""

    @property
    def file(self) -> str:
        """What its picture is called."""
        layer, picture = (
            re.sub(r"[^\w.+-]", "-", name) for name in (self.layer, str(Path(self.picture).with_suffix("")))
        )
        return f"{layer}-C{self.strength:g}-{picture}.png"


class Table:
    """The errors so far, in a CSV with a row for each inversion, written as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: dict[Cell, float] = {}
        self._seconds: dict[Cell, str] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if all(row.get(name) for name in _FIELDS):  # a killed process may have left half a row
                        cell = Cell(row["layer"], float(row["C"]), row["picture"])
                        self.errors[cell] = float(row["error"])
                        self._seconds[cell] = row["seconds"]

    def add(self, cells: Sequence[Cell], errors: Sequence[float], seconds: float) -> None:
        """Add inversions, and write the table, whole."""
        for cell, error in zip(cells, errors, strict=True):
            self.errors[cell], self._seconds[cell] = error, f"{seconds:.2f}"
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow(_FIELDS)
        for cell, error in self.errors.items():
            writer.writerow((cell.layer, f"{cell.strength:g}", cell.picture, f"{error:.6f}", self._seconds[cell]))
        write_text(self.path, rows.getvalue())

    def summary(self, layer: str, strength: float, pictures: Sequence[str]) -> str:
        """Mean and standard deviation over the pictures, in percent."""
        errors = [100 * self.errors[Cell(layer, strength, picture)] for picture in pictures]
        return f"{mean(errors):.1f} ± {stdev(errors) if len(errors) > 1 else 0.0:.1f}"


def invert(config: DictConfig) -> int:
    """Invert each layer for each picture at each strength; return the program's exit code.

    The error ||Phi(x) - Phi_0|| / ||Phi_0|| is measured on the PNG, as read back from the disk.

    Raises:
        UserError: a setting cannot work, or the folder holds the table of other settings.
    """
    keep_freed_memory()
    pictures = _pictures(config)
    layers = _layers(config, build.sketch(config.classifier))
    classifier = build.classifier(config.classifier)
    folder = Path(config.paths.outputs).expanduser() / "invert" / str(config.name)
    table = _begin(config, folder, classifier)
    device = "cuda" if torch.cuda.is_available() and config.trainer.accelerator != "cpu" else "cpu"
    at_once = config.batch if config.batch != "auto" else _AT_ONCE if device == "cuda" else 1
    names = list(pictures)
    left = [
        (layer, strength, chunk)
        for layer in layers
        for strength in config.strengths
        for chunk in _chunks(
            [name for name in names if Cell(layer, float(strength), name) not in table.errors], at_once
        )
    ]
    count = len(layers) * len(config.strengths) * len(pictures)
    done = count - sum(len(chunk) for _, _, chunk in left)
    with tqdm(total=count, initial=done, unit="picture", dynamic_ncols=True) as bar:
        for layer, strength, chunk in left:
            cells = [Cell(layer, float(strength), name) for name in chunk]
            bar.set_description(f"{layer}, C = {strength:g}")
            begun = time.monotonic()
            errors = _invert(
                config, classifier, layer, float(strength), [pictures[name] for name in chunk], folder, cells
            )
            table.add(cells, errors, (time.monotonic() - begun) / len(chunk))
            bar.set_postfix_str(f"error {100 * mean(errors):.1f} %", refresh=False)
            bar.update(len(chunk))
    _end(config, folder, layers, names, table)
    return 0


def _invert(
    config: DictConfig,
    classifier: Classifier,
    layer: str,
    strength: float,
    pictures: Sequence[Path],
    folder: Path,
    cells: Sequence[Cell],
) -> list[float]:
    """Invert the layer's code of each picture, write what comes out, and measure it there."""
    target = parse_target(f"layer:{layer}", classifier.outline.labels, classifier.outline.layers)
    references = torch.cat([resize(read_upright(path), classifier.outline.input_size) for path in pictures])
    objective = Inversion(target, image=references, weight=strength)
    coupling = _couple(config, classifier, target, objective, len(pictures))
    trainer = make_trainer(build.plain(config)["trainer"], [], updates=config.updates)
    trainer.fit(coupling, DataLoader(range(config.updates), batch_size=None))  # type: ignore[arg-type]
    for image, cell in zip(coupling.settled(), cells, strict=True):
        write_png(folder / "pictures" / cell.file, display(image), quick=True)
    written = torch.cat([read_image(folder / "pictures" / cell.file) for cell in cells])
    with torch.no_grad():
        seen = classifier(written.to(next(classifier.parameters()).device), objective.layers)
    return objective.errors(seen)[:, 0].tolist()


def _couple(config: DictConfig, classifier: Classifier, target: Target, objective: Inversion, images: int) -> Coupling:
    with open_dict(config):
        settled = config.copy()
    build.settle(settled, target, classifier)
    streams = Streams([config.seed] * images)  # every picture from the same noise, whatever shares its batch
    return Coupling(
        generator=build.generator(settled, streams),
        classifier=classifier,
        objective=Together({"inversion": objective}),
        target=target,
        optimizer=build.optimizer(settled),
        regularizers=build.regularizers(settled),
        transforms=build.transforms(settled),
        streams=streams,
    )


def _begin(config: DictConfig, folder: Path, classifier: Classifier) -> Table:
    alike = identity.of_inversions(config, classifier.weights_sha256)
    known = folder / "identity.json"
    if not config.resume:
        set_aside(folder)
    prepare_folder(folder)
    if known.exists() and (made := json.loads(known.read_text(encoding="utf-8"))) != alike:
        changed = [key for key in {**made, **alike} if made.get(key) != alike.get(key)]
        raise UserError(
            f"{folder} holds a table of other settings ({', '.join(changed[:3])}); "
            "name=NAME keeps both, resume=false starts over (the old files are kept beside the new)"
        )
    write_text(known, json.dumps(alike, indent=2) + "\n")
    return Table(folder / "errors.csv")


def _end(config: DictConfig, folder: Path, layers: Sequence[str], pictures: Sequence[str], table: Table) -> None:
    strengths = [float(strength) for strength in config.strengths]
    lines = ["| C | " + " | ".join(layers) + " |", "|---" * (len(layers) + 1) + "|"]
    for strength in strengths:
        cells = [table.summary(layer, strength, pictures) for layer in layers]
        lines.append(f"| {strength:g} | " + " | ".join(cells) + " |")
    write_text(folder / "errors.md", "\n".join(lines) + "\n")
    rows = []
    for strength in strengths:
        row = []
        for layer in layers:
            cell = Cell(layer, strength, pictures[0])
            row.append((f"{layer}, {100 * table.errors[cell]:.0f} %", folder / "pictures" / cell.file))
        rows.append(row)
    write_sheet(folder / "sheet.png", rows)
    print(f"normalized error in percent, mean ± standard deviation over {len(pictures)} pictures, by layer and C:\n")
    print("\n".join(lines))
    print(f"\ntable       {folder / 'errors.csv'}\nsheet       {folder / 'sheet.png'}", flush=True)


def _layers(config: DictConfig, outline: Outline) -> list[str]:
    names = config.layers
    if names is None:
        return [layer.name for layer in outline.layers if _SHOWN.fullmatch(layer.name)] or [outline.layers[-1].name]
    if isinstance(names, str) or not all(isinstance(name, str) for name in names) or not len(names):
        raise UserError(f"layers={names} is no list of layers, such as layers=[relu1,relu2]")
    return [parse_target(f"layer:{name}", outline.labels, outline.layers).units[0].layer for name in names]


def _pictures(config: DictConfig) -> dict[str, Path]:
    """The pictures, each by its path below the folder."""
    given = Path(str(config.pictures)).expanduser()
    if given.is_file():
        found = {given.name: given}
    else:
        found = {
            str(path.relative_to(given)): path for path in find_pictures(given, "pictures").pictures[: config.count]
        }
    for path in found.values():
        read_upright(path)
    return found


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
