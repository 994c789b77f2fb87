"""Pictures without and with a sticker, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from genviz.adversarial.stickers.boxes import drawn_boxes
from genviz.adversarial.stickers.pasted import Judge, Pasting, seen
from genviz.classifiers.frozen_detector import FrozenDetector
from genviz.files import prepare_folder
from genviz.images.folders import evenly
from genviz.images.pictures import display, read_image, write_png
from genviz.images.sheet import write_sheet
from genviz.targets.probabilities import ending_of, probabilities

_EXAMPLES = 6


def write_examples(
    folder: Path, pasting: Pasting, things: Mapping[str, Tensor], area: float, judge: Judge, count: Tensor
) -> Path:
    """Write a few pictures as they are and with each thing pasted in, and a sheet with what the network sees in them.

    A detector's sheet has its boxes.

    Args:
        things: the stickers, by name.
        count: which of the pictures count, (m,).
    """
    own = folder / "examples"
    prepare_folder(own)
    chosen = evenly(count.nonzero()[:, 0].tolist() or list(range(len(count))), _EXAMPLES)
    rows = [_row(own, "picture", pasting.scenes[chosen].float() / 255, judge)]
    for name, sticker in things.items():
        rows.append(_row(own, name, torch.cat(list(pasting.pictures(sticker, area)))[chosen], judge))
    write_sheet(folder / "sheet.png", rows, 192)
    return folder / "sheet.png"


def _row(folder: Path, name: str, images: Tensor, judge: Judge) -> list[tuple[str, Path]]:
    labels = judge.classifier.outline.labels
    paths = [folder / f"{number}-{name}.png" for number in range(1, len(images) + 1)]
    for path, image in zip(paths, images, strict=True):
        write_png(path, display(image), quick=True)
    if isinstance(judge.classifier, FrozenDetector):
        row = []
        for path, image in zip(paths, images, strict=True):
            (found,) = judge.classifier.detect(read_image(path))
            boxes = path.with_name(f"{path.stem}-boxes.png")
            write_png(boxes, drawn_boxes(image, found, labels), quick=True)
            row.append((name, boxes))
        return row
    scores = seen(judge, images)
    chances = probabilities(scores, ending_of(judge.classifier)).amax(1)
    said = [
        f"{labels[best]} {chance:.0%}" for best, chance in zip(scores.argmax(1).tolist(), chances.tolist(), strict=True)
    ]
    return list(zip(said, paths, strict=True))
