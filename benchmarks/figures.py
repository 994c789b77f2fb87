"""The figures of the papers, one sheet each: python benchmarks/figures.py PICTURES SHEETS WORDS

PICTURES is the folder of the pictures that are named below, SHEETS that of the sheets; WORDS go to train.py, to name
the classifier: classifier=embedded. Figures without panels for it are left out. What is done is not done again.
Some figures: ``--only gerretsen_figure4,gerretsen_figure5``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from omegaconf import DictConfig
from PIL import Image

from genviz.errors import UserError
from genviz.images.pictures import read_image, read_upright, resize
from genviz.images.sheet import write_sheet
from genviz.sweeps.figure import panels
from genviz.targets.grammar import Unit
from genviz.training import build, configuration
from genviz.training.run_folders import RunFolders

ROOT = Path(__file__).resolve().parent.parent
CAT, COFFEE = "chelsea_cat.jpg", "coffee.jpg"
STARRY_NIGHT = "starry_night.jpg"
STYLES = (STARRY_NIGHT, "the_scream.jpg", "shipwreck.jpg")
ONE = [{"image": CAT}]
TWO = [{"image": CAT}, {"image": COFFEE}]
FIGURES: dict[str, list[dict[str, str]]] = {
    **{f"mahendran2016_figure{number}": ONE for number in (2, 5, 6, 7, 9, 10, 14)},
    "mahendran2016_figure8": [{"image": CAT}, {"image": STARRY_NIGHT}],  # the paper's: two animals, and abstract art
    "mahendran2016_figure15": TWO,
    **{f"mahendran2016_figure{number}": [{}] for number in (3, 11, 12, 13)},
    **{f"gerretsen_figure{number}": [{}] for number in (1, 2, 3)},
    **dict.fromkeys(("gerretsen_figure4", "gerretsen_figure6", "gerretsen_figure7"), ONE),
    "gerretsen_figure5": [{"image": CAT, "style": style} for style in STYLES],
    "kocur2021_deepdream": [{"image": COFFEE}],
    "kocur2021_texture": [{"style": STARRY_NIGHT}],
    "kocur2021_style": [{"image": CAT, "style": STARRY_NIGHT}],
    "despraz2017_figure8": [{}],
    "despraz2017_figure8_pretrained": [{}],
}
"""The pictures that each is made with, once for each entry."""
NEURONS = ("mahendran2016_figure11", "mahendran2016_figure12")
SIDE = 150


def main() -> None:
    words = sys.argv[1:]
    only = words[1].split(",") if words[:1] == ["--only"] else list(FIGURES)
    pictures, sheets, *words = words[2:] if words[:1] == ["--only"] else words
    for name in only:
        if (lacking := lacks_panels(name, words)) is not None:
            print(f"left out: {lacking}", flush=True)
            continue
        rows = []
        for given in FIGURES[name]:
            run = [f"experiment={name}", "logger=none", *words]
            run += [f"{what}={Path(pictures) / picture}" for what, picture in given.items()]
            subprocess.run([sys.executable, str(ROOT / "train.py"), *run], check=True, stdout=subprocess.DEVNULL)
            made = rows_of(name, run)
            if name == "gerretsen_figure4":
                similarity(Path(pictures) / CAT, made)
            rows += made
        if name == "gerretsen_figure5":
            rows = [[(Path(given["style"]).stem, row[0][1]) for given, row in zip(FIGURES[name], rows, strict=True)]]
        write_sheet(Path(sheets) / f"{name}.jpg", rows, _side(rows))
        print(name, flush=True)


def lacks_panels(name: str, words: list[str]) -> UserError | None:
    """Why the figure cannot be made on this classifier; None if it can."""
    config = configuration.compose("train", [f"experiment={name}", *words])
    try:
        if config.panels is not None:
            panels(config)
    except UserError as error:
        return error
    return None


def _side(rows: list[list[tuple[str, Path]]]) -> int:
    """Fewer pictures are shown larger."""
    return min(220, max(110, 1200 // max(len(row) for row in rows)))


def rows_of(name: str, words: list[str]) -> list[list[tuple[str, Path]]]:
    """The pictures of a figure that was made, each with its title."""
    config = configuration.compose("train", words)
    if config.panels is None:
        folder = RunFolders.of(config, build.target(config, build.sketch(config.classifier))).outputs
        snapshots = sorted((folder / "snapshots").glob("*.png"))
        return [[(str(int(path.stem)), path) for path in snapshots]]
    rows: list[list[tuple[str, Path]]] = []
    for row in panels(config):
        rows.append([])
        for panel in row:
            target = build.target(panel, build.sketch(panel.classifier))
            folders = RunFolders.of(panel, target)
            picture = folders.picture
            if name in NEURONS:
                picture = folders.outputs / "field.png"
                field(panel, target.units[0], folders.picture, picture)
            title = str(target).partition(":")[2]
            title += "" if panel.tag is None or name in NEURONS else f", {panel.tag}"
            rows[-1].append((title, picture))
            result = json.loads((folders.outputs / "result.json").read_text())
            print(f"  {title}: {result['verdict']}, {result['explanation']}", flush=True)
    return rows


def field(config: DictConfig, unit: Unit, picture: Path, cut: Path) -> None:
    """The part of a picture that a neuron looks at."""
    seen = build.classifier(config.classifier).receptive_field(unit.layer)
    reach = seen.size / 2 + seen.stride / 8
    box = [round(seen.offset + seen.stride * unit.index[axis] + side) for side in (-reach, reach) for axis in (2, 1)]
    with Image.open(picture) as image:
        side = min(box[2] - box[0], image.width)
        left, top = (min(max(0, corner), image.width - side) for corner in box[:2])
        image.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(cut)


def similarity(original: Path, rows: list[list[tuple[str, Path]]]) -> None:
    """1 - ||x - c|| / (||x|| + ||c||) of each picture x and what it was made from, c: 1 is the same."""
    for row in rows:
        for title, path in row:
            x = read_image(path)
            c = resize(read_upright(original), (x.shape[2], x.shape[3]))
            print(f"  {title}: similarity {1 - float((x - c).norm() / (x.norm() + c.norm())):.3f}")


if __name__ == "__main__":
    main()
