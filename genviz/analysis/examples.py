"""Pictures of a class: those of a folder that it scores highest, or a few that are drawn for it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.analysis.feature_cache import Gallery, identity_of, load, look_through, readable
from genviz.errors import UserError
from genviz.images.pictures import display, read_image, write_png
from genviz.interfaces import Classifier
from genviz.targets.grammar import parse_target

COUNT = 10
_SEEDS, _UPDATES = range(4), 60


class Examples(NamedTuple):
    """Pictures of a class."""

    images: Tensor
    """RGB in [0, 1], (n, 3, h, w), as large as the classifier sees them."""
    names: list[str]
    """Each picture's path below its folder; where they were drawn, their seeds."""
    told: str
    """What they are."""


def examples(
    classifier: Classifier,
    number: int,
    *,
    folder: str | Path | None = None,
    count: int = COUNT,
    cache: Path | None = None,
    accelerator: str = "auto",
) -> Examples:
    """Pictures of class ``number``: from ``folder``, or drawn where there is none.

    Args:
        count: how many of the folder.
        cache: a folder that keeps what has been seen and drawn; None for none.
        accelerator: Lightning's, for what is drawn.

    Raises:
        UserError: there is no such folder, or no picture in it that can be decoded.
    """
    if folder is None:
        return drawn(classifier, number, cache=cache, accelerator=accelerator)
    return of_gallery(look_through(folder, classifier, cache=cache), classifier, number, count)


def of_gallery(gallery: Gallery, classifier: Classifier, number: int, count: int = COUNT) -> Examples:
    """The ``count`` pictures of ``gallery`` that class ``number`` scores highest."""
    order = gallery.scores[:, number].argsort(descending=True, stable=True)[:count]
    names = [gallery.names[row] for row in order.tolist()]
    label = classifier.outline.labels[number]
    called = int((gallery.scores[order].argmax(1) == number).sum())
    told = (
        f"the {len(names)} of {len(gallery.names):,} pictures in {readable(gallery.root)} that it scores highest "
        f"({called} of them it calls {label})"
    )
    return Examples(torch.cat([load(gallery.root / name, classifier) for name in names]), names, told)


def drawn(classifier: Classifier, number: int, *, cache: Path | None = None, accelerator: str = "auto") -> Examples:
    """Four pictures of class ``number``, drawn with 60 updates of Fourier coefficients; the same ones every time."""
    files = [] if cache is None else [cache / f"{identity_of(classifier)}-{number}-{seed}.png" for seed in _SEEDS]
    told = f"{len(_SEEDS)} pictures that were drawn for it, {_UPDATES} updates each"
    names = [f"seed {seed}" for seed in _SEEDS]
    if files and all(file.exists() for file in files):
        try:
            return Examples(torch.cat([read_image(file) for file in files]), names, told)
        except UserError:  # damaged: drawn again
            pass
    from genviz.analysis.drawing import draw  # takes seconds

    label = classifier.outline.labels[number]
    print(f"drawing {len(_SEEDS)} pictures of {label}, {_UPDATES} updates each, to see what contributes", flush=True)
    device = next(classifier.parameters()).device
    target = parse_target(f"class:{number}", classifier.outline.labels, classifier.outline.layers)
    made = draw(classifier, target, updates=_UPDATES, seeds=_SEEDS, accelerator=accelerator).images
    classifier.to(device)  # Lightning leaves it on the CPU
    for file, image in zip(files, made, strict=bool(files)):
        write_png(file, display(image), {"class": str(number)})
    return Examples(made, names, told)
