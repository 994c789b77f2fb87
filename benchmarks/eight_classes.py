"""Eight classes in the paper's setting and in the default, as one sheet.

    python benchmarks/eight_classes.py SHEET.png WORDS

WORDS go to train.py, to name the classifier and its weights. What is done is not done again, so that a sheet can be
drawn from finished runs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from genviz import build, program

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("harmonica", "flamingo", "zebra", "lesser-panda", "daisy", "tiger", "orange", "school-bus")
SETTINGS = {"Despraz et al. 2017": ["experiment=despraz2017"], "default": []}
SIDE, MARGIN, LINE = 224, 8, 18


def main() -> None:
    sheet, words = Path(sys.argv[1]), sys.argv[2:]
    rows = []
    for setting, more in SETTINGS.items():
        runs = []
        for name in CLASSES:
            run = [f"target=class:{name}", "logger=none", *words, *more]
            subprocess.run([sys.executable, str(ROOT / "train.py"), *run], check=True)
            runs.append(outputs(run))
        rows.append((setting, runs))
    draw(rows).save(sheet)
    for setting, runs in rows:
        results = [json.loads((folder / "result.json").read_text()) for folder in runs]
        print(
            setting,
            *(f"{r['target']}: rank {r['rank']}, activation {r['activation']:.1f}" for r in results),
            sep="\n  ",
        )


def outputs(words: list[str]) -> Path:
    """Where these words' run keeps its picture and result."""
    config = program.compose(ROOT / "configs", "train", words)
    target = build.target(config, build.sketch(config.classifier))
    return Path(config.paths.outputs, *build.names(config), target.folder)


def draw(rows: list[tuple[str, list[Path]]]) -> Image.Image:
    """The pictures of each row side by side, under the row's name and each class's name and rank."""
    height = SIDE + 2 * LINE + MARGIN
    sheet = Image.new("RGB", (len(CLASSES) * (SIDE + MARGIN) + MARGIN, len(rows) * height + MARGIN), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=13)
    for row, (setting, folders) in enumerate(rows):
        top = MARGIN + row * height
        pen.text((MARGIN, top), setting, "black", font)
        for column, folder in enumerate(folders):
            left = MARGIN + column * (SIDE + MARGIN)
            result = json.loads((folder / "result.json").read_text())
            pen.text((left, top + LINE), f"{result['target'].split(':')[1]}, rank {result['rank']}", "black", font)
            sheet.paste(Image.open(folder / "final.png").resize((SIDE, SIDE)), (left, top + 2 * LINE))
    return sheet


if __name__ == "__main__":
    main()
