"""How often a perturbation fools networks, measured on its file and on pictures that it was not made of."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.adversarial.answers import named
from genviz.adversarial.success import Success
from genviz.adversarial.universal.halves import Half
from genviz.adversarial.universal.steps import added
from genviz.images.given import readable
from genviz.images.pictures import write_png
from genviz.images.sheet import write_sheet
from genviz.interfaces import Classifier

_DOMINANT = 10
_EXAMPLES = 6


class Judged(NamedTuple):
    """What a network says of n pictures before and after."""

    before: Tensor
    chance_before: Tensor
    after: Tensor
    chance_after: Tensor

    @property
    def fooled(self) -> Tensor:
        """Whether the class is another, (n,)."""
        return self.before != self.after


Named = tuple[Tensor, Tensor]
"""The classes that a network names in n pictures, and their probabilities, (n,) each."""


def judge(classifier: Classifier, images: Tensor, steps: Tensor, at_once: int, before: Named | None = None) -> Judged:
    """What ``classifier`` says of ``images``, bytes (n, 3, h, w), and of them with ``steps`` added.

    Args:
        before: what it says of ``images``, if known.
    """
    before = named(classifier, images, at_once) if before is None else before
    return Judged(*before, *named(classifier, added(images, steps), at_once))


def shuffled(steps: Tensor, seed: int) -> Tensor:
    """The same ``steps`` (3, h, w) at other places: noise of the same size."""
    order = torch.randperm(steps.numel(), generator=torch.Generator().manual_seed(seed))
    return steps.flatten()[order].view(steps.shape)


def rate_of(fooled: Tensor) -> dict[str, Any]:
    """A rate with its interval, as plain data."""
    count, successes = len(fooled), int(fooled.sum())
    return {
        "fooled": successes,
        "pictures": count,
        "rate": successes / count,
        "interval_95": Success(successes, count).interval,
    }


def dominant(judged: Judged, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The classes that the fooled pictures become, the most frequent first, with their share of them."""
    found = Counter(judged.after[judged.fooled].tolist())
    return [
        {"number": number, "label": labels[number], "pictures": count, "share": count / sum(found.values())}
        for number, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_DOMINANT]
    ]


def table(half: Half, judged: Mapping[str, Judged], labels: Mapping[str, Sequence[str]]) -> str:
    """A row for each held-out picture, with what each network says before and after, as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ("before", "probability before", "after", "probability after", "fooled")
    several = len(judged) > 1
    writer.writerow(["picture", *(f"{name}: {column}" if several else column for name in judged for column in columns)])
    for row, picture in enumerate(half.names):
        cells: list[Any] = [readable(picture)]
        for name, each in judged.items():
            own = labels[name]
            cells += [own[int(each.before[row])], f"{float(each.chance_before[row]):.4f}"]
            cells += [own[int(each.after[row])], f"{float(each.chance_after[row]):.4f}", int(each.fooled[row])]
        writer.writerow(cells)
    return text.getvalue()


def write_examples(folder: Path, half: Half, judged: Judged, steps: Tensor, labels: Sequence[str]) -> Path:
    """Write some held-out pictures before and after, evenly spaced, fooled or not, and a sheet of them."""
    count = min(_EXAMPLES, len(half.names))
    rows = [round(place * (len(half.names) - 1) / max(1, count - 1)) for place in range(count)]
    sheet: list[list[tuple[str, Path]]] = [[], []]
    for number, row in enumerate(dict.fromkeys(rows)):
        before, after = half.images[row], added(half.images[row : row + 1], steps)[0]
        said = (judged.before, judged.chance_before), (judged.after, judged.chance_after)
        for line, what, image, (named_, chance) in zip(sheet, ("before", "after"), (before, after), said, strict=True):
            path = folder / f"{number}-{what}.png"
            write_png(path, image.permute(1, 2, 0), quick=True)
            line.append((f"{float(chance[row]):.0%} {labels[int(named_[row])]}", path))
    write_sheet(folder.parent / "sheet.png", sheet, 192)
    return folder.parent / "sheet.png"
