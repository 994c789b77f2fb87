"""Pictures of many classes, as one sheet, and their ranks.

    python benchmarks/sheets.py eight_classes SHEET.png WORDS      the paper's setting above the default
    python benchmarks/sheets.py embedded SHEET.png WORDS           ten classes as the embedded classifier sees them
    python benchmarks/sheets.py twenty SHEET.png WORDS             twenty more, by the default and in pixel space
    python benchmarks/sheets.py fourier_views SHEET.png WORDS      24 classes in pixel space

WORDS go to train.py, to name the classifier and its weights. What is done is not done again, so that a sheet can be
drawn from finished runs. With `--judge FILE.py` before WORDS, a network that took no part ranks each target too: the
file's `load()` returns a module from RGB in [0, 1], (1, 3, 192, 192), to the scores of ImageNet's classes.
"""

from __future__ import annotations

import json
import math
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from genviz.classifiers.outline import sketch
from genviz.images.pictures import read_image, resize
from genviz.targets.labels import slug
from genviz.training import build, configuration, naming

ROOT = Path(__file__).resolve().parent.parent
EIGHT = ("harmonica", "flamingo", "zebra", "lesser-panda", "daisy", "tiger", "orange", "school-bus")
MORE = (
    *("goldfish", "ostrich", "king-penguin", "jellyfish", "monarch", "ladybug", "strawberry", "pineapple"),
    *("pizza", "lemon", "giant-panda", "macaw", "starfish", "soccer-ball", "balloon", "cheeseburger"),
)
TEN = (
    *("great-grey-owl", "garden-spider", "golden-retriever", "leopard", "gorilla"),
    *("acoustic-guitar", "castle", "fire-engine", "laptop", "warplane"),
)
TWENTY = (
    *("vulture", "eft", "green-lizard", "hognose-snake", "black-grouse", "killer-whale", "afghan-hound", "beagle"),
    *("standard-schnauzer", "tibetan-mastiff", "ground-beetle", "walking-stick", "bathtub", "chime", "drumstick"),
    *("manhole-cover", "oscilloscope", "pool-table", "shield", "trombone"),
)
MARGIN, LINE = 8, 18
COLUMNS = {"eight_classes": 8, "embedded": 10, "twenty": 10, "fourier_views": 8}  # of a sheet


class Row(NamedTuple):
    """Some classes in one setting."""

    title: str
    classes: tuple[str, ...]
    words: list[str]


SHEETS = {
    "eight_classes": [Row("Despraz et al. 2017", EIGHT, ["experiment=despraz2017"]), Row("default", EIGHT, [])],
    "embedded": [
        Row("default", TEN, ["classifier=embedded"]),
        Row("experiment=fourier_views", TEN, ["classifier=embedded", "experiment=fourier_views"]),
        Row("generator=untrained_small", TEN, ["classifier=embedded", "generator=untrained_small"]),
    ],
    "twenty": [
        Row("default", TWENTY, ["classifier=embedded"]),
        Row("experiment=fourier_views", TWENTY, ["classifier=embedded", "experiment=fourier_views"]),
    ],
    "fourier_views": [Row("fourier_views", EIGHT + MORE, ["experiment=fourier_views"])],
}


SIDES = {"eight_classes": 224, "embedded": 144, "twenty": 160, "fourier_views": 160}
"""Of a picture in the sheet, in pixels."""


def main() -> None:
    which, sheet, words = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    judge = None
    if words[:1] == ["--judge"]:
        judge, words = words[1], words[2:]
    rows = []
    for row in SHEETS[which]:
        folders = []
        for name in row.classes:
            run = [f"target=class:{name}", "logger=none", *row.words, *words]
            subprocess.run([sys.executable, str(ROOT / "train.py"), *run], check=True)
            folders.append(outputs(run))
        for first in range(0, len(folders), COLUMNS[which]):
            rows.append((row.title, folders[first : first + COLUMNS[which]]))
    draw(rows, SIDES[which]).save(sheet)
    for title, folders in rows:
        results = [json.loads((folder / "result.json").read_text()) for folder in folders]
        print(
            title,
            *(f"{r['target']}: rank {r['rank']}, activation {r['activation']:.1f}" for r in results),
            sep="\n  ",
        )
    if judge is not None:
        ranks = judged(judge, [folder for _, folders in rows for folder in folders])
        print("ranks of the judge", ranks, "geometric mean", math.exp(sum(map(math.log, ranks)) / len(ranks)))


def judged(file: str, folders: list[Path]) -> list[int]:
    """The rank of each run's target for the network of ``file``, on the picture as written."""
    sys.path.insert(0, str(Path(file).parent))
    network, ranks = runpy.run_path(file)["load"](), []
    labels = [slug(label) for label in sketch("vgg16").labels]
    for folder in folders:
        target = json.loads((folder / "result.json").read_text())["target"]
        number = labels.index(slug(target.removeprefix("class:")))
        scores = network(resize(read_image(folder / "final.png"), (192, 192)))[0]
        ranks.append(int((scores > scores[number]).sum()) + 1)
    return ranks


def outputs(words: list[str]) -> Path:
    """Where these words' run keeps its picture and result."""
    config = configuration.compose("train", words)
    target = build.target(config, build.sketch(config.classifier))
    names = naming.names(config)
    return Path(config.paths.outputs, names.classifier, names.generator, target.folder)


def draw(rows: list[tuple[str, list[Path]]], side: int) -> Image.Image:
    """The pictures of each row side by side, under the row's name and each class's name and rank."""
    height = side + 2 * LINE + MARGIN
    sheet = Image.new("RGB", (len(rows[0][1]) * (side + MARGIN) + MARGIN, len(rows) * height + MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for row, (title, folders) in enumerate(rows):
        top = MARGIN + row * height
        pen.text((MARGIN, top), title, "black", font)
        for column, folder in enumerate(folders):
            left = MARGIN + column * (side + MARGIN)
            result = json.loads((folder / "result.json").read_text())
            pen.text((left, top + LINE), f"{result['target'].split(':')[1]}, rank {result['rank']}", "black", font)
            sheet.paste(Image.open(folder / "final.png").resize((side, side)), (left, top + 2 * LINE))
    return sheet


if __name__ == "__main__":
    main()
