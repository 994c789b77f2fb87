"""Rows of Despraz et al.'s Figure 6: untrained, pretrained, and the nearest real pictures, with what tells them apart.

    python benchmarks/rows.py FOLDER SHEET.png [--layer fire9] [--judge FILE.py] WORDS

WORDS go to train.py, to name the classifier and its weights. For eight classes that are no dogs, the rows of `ROWS`
are trained, or taken from finished runs. SHEET.png shows the generated pictures; SHEET-real.png beside it also the
picture of FOLDER that is nearest to each of the last row, by the cosine of what the classifier computes at
``--layer``, averaged over positions. Printed for each row: the rank in the classifier and in the judge, a network that
took no part, as in `sheets.py`; the share of the bytes at 0 or 255; the colours' saturation, (max - min) / max of the
three channels; the total variation; and the distance of its gradients from real pictures' (Wasserstein's first, between
the distributions of the grey values' slopes), the last three at 114 x 114 pixels. All on the files as written; the real
pictures are those of FOLDER, their centres at 224 x 224.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path

import torch
from PIL import Image
from sheets import EIGHT, Row, draw, judged, outputs
from torch import Tensor
from tqdm import tqdm

from genviz.images.folders import find_pictures
from genviz.images.pictures import display, read_image, resize
from genviz.learning.data import Centres
from genviz.training import build, configuration

ROOT = Path(__file__).resolve().parent.parent
SIDE = 114
ROWS = [
    Row("untrained: Despraz et al. 2017", EIGHT, ["experiment=despraz2017"]),
    Row("pretrained: Despraz et al. 2017", EIGHT, ["generator=pretrained"]),
    Row("pretrained: ours", EIGHT, ["generator=pretrained_views"]),
]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--layer", default="fire9")
    parser.add_argument("--judge")
    arguments, words = parser.parse_known_args()
    rows = []
    for row in ROWS:
        folders = []
        for name in row.classes:
            run = [f"target=class:{name}", "logger=none", *row.words, *words]
            subprocess.run([sys.executable, str(ROOT / "train.py"), *run], check=True)
            folders.append(outputs(run))
        rows.append((row.title, folders))
    sheet = draw(rows, 160)
    sheet.save(arguments.sheet)
    found = find_pictures(arguments.folder).pictures
    centres = Centres(found, size=224, shorter=224)
    kept = [picture for picture in (centres[number] for number in range(len(centres))) if picture is not None]
    real = torch.stack(kept) / 255
    config = configuration.compose("train", ["target=class:1", *words])
    classifier = build.classifier(config.classifier)

    def look(images: Tensor) -> Tensor:
        maps = classifier(images, [arguments.layer])[arguments.layer]
        return torch.nn.functional.normalize(maps.mean((2, 3)), dim=1)

    with torch.no_grad():
        seen = torch.cat([look(part) for part in tqdm(real.split(20), desc="the real pictures")])
        drawn = torch.cat([look(read_image(folder / "final.png")) for folder in rows[-1][1]])
        nearest = [real[number : number + 1] for number in (drawn @ seen.T).argmax(1).tolist()]
    beside = Image.new("RGB", (sheet.width, sheet.height + 176), "white")
    beside.paste(sheet)
    for column, image in enumerate(nearest):
        shown = Image.fromarray(display(image[0]).numpy())
        beside.paste(shown.resize((160, 160), Image.Resampling.LANCZOS), (8 + column * 168, sheet.height))
    beside.save(arguments.sheet.with_stem(arguments.sheet.stem + "-real"))
    reference = slopes(small(real[:: max(1, len(real) // 300)]))
    print(f"{'':36}{'rank':>8}{'judge':>8}{'at 0, 255':>12}{'saturation':>12}{'variation':>12}{'gradients':>12}")
    for title, folders in rows:
        ranks = [json.loads((folder / "result.json").read_text())["rank"] for folder in folders]
        told: list[float] = list(judged(arguments.judge, folders)) if arguments.judge else [math.nan]
        tell(title, (mean(ranks), mean(told)), [read_image(folder / "final.png") for folder in folders], reference)
    tell("nearest real pictures", (math.nan, math.nan), nearest, reference)


def mean(ranks: list[float]) -> float:
    """The geometric one."""
    return math.exp(sum(map(math.log, ranks)) / len(ranks))


def tell(title: str, ranks: tuple[float, float], images: list[Tensor], reference: Tensor) -> None:
    share = sum(float(((image == 0) | (image == 1)).float().mean()) for image in images) / len(images)
    alike = torch.cat([small(image) for image in images])
    variation = float(alike.diff(dim=2).abs().mean() + alike.diff(dim=3).abs().mean())
    highest, lowest = alike.amax(1), alike.amin(1)
    saturation = float(((highest - lowest) / highest.clamp_min(1 / 255)).mean())
    distance = float((slopes(alike) - reference).abs().mean())
    print(f"{title:36}{ranks[0]:8.1f}{ranks[1]:8.1f}{share:12.1%}{saturation:12.2f}{variation:12.3f}{distance:12.4f}")


def small(images: Tensor) -> Tensor:
    side = min(images.shape[-2:])
    top, left = ((extent - side) // 2 for extent in images.shape[-2:])
    return resize(images[..., top : top + side, left : left + side], (SIDE, SIDE))


def slopes(images: Tensor) -> Tensor:
    """The quantiles of the grey values' horizontal and vertical differences."""
    grey = images.mean(1)
    differences = torch.cat([grey.diff(dim=1).flatten(), grey.diff(dim=2).flatten()]).sort().values
    places = torch.linspace(0, len(differences) - 1, 2001).round().long()
    return differences[places]


if __name__ == "__main__":
    main()
