"""Filters by what makes them fire in real pictures: Zeiler & Fergus (2014), Figure 2; Springenberg et al. (2015)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from genviz.attribution.rectified import deconvnet, guided_backpropagation
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.tracing.receptive_field import Area
from genviz.errors import UserError
from genviz.images.maps import signed_picture
from genviz.images.pictures import UNREADABLE, display, read_picture, resize
from genviz.interfaces import Layer
from genviz.retrieval.cut import Box, box_of, cut, place_of
from genviz.retrieval.strongest import Folder, Strongest

GREY = 0.5
"""What is shown beyond a picture's border."""


class Patch(NamedTuple):
    """What a filter sees of a picture where it fires most."""

    picture: str
    """Its path below the folder."""
    value: float
    place: tuple[int, ...]
    """The unit's row and column; () where a layer has none."""
    box: Box
    pixels: Tensor
    """RGB bytes, (h, w, 3)."""
    guided: Tensor
    """The guided backpropagation of the unit, signed and as bytes (h, w, 3)."""
    deconv: Tensor
    """Its DeconvNet picture, likewise."""


class Patches(NamedTuple):
    """Of one filter."""

    layer: Layer
    filter: int
    patches: list[Patch]
    """The strongest first; none if it never fires."""


def area_of(classifier: FrozenClassifier, layer: Layer) -> Area | None:
    """What a position of ``layer`` sees; None if that is the whole picture, or unknown."""
    try:
        return classifier.receptive_area(layer.name)
    except UserError:
        return None


def patches(
    classifier: FrozenClassifier, layer: Layer, filters: Sequence[int], found: Strongest, folder: Folder
) -> Iterator[Patches]:
    """Cut the strongest places of each of the ``filters`` of ``layer`` out of their pictures.

    Args:
        found: of all filters of the layer.
        folder: the pictures that were looked through.
    """
    area, size = area_of(classifier, layer), classifier.outline.input_size
    for number in filters:
        images, known = [], []
        for place in range(found.values.shape[1]):
            value, row, position = (each[number, place] for each in found)
            if not value.isfinite():
                break
            try:
                images.append(resize(read_picture(folder.paths[int(row)])[None].float() / 255, size))
                known.append((int(row), float(value), int(position)))
            except UNREADABLE:  # gone since
                continue
        yield Patches(layer, number, _cut(classifier, layer, number, images, known, folder, area))


def _cut(
    classifier: FrozenClassifier,
    layer: Layer,
    number: int,
    images: Sequence[Tensor],
    known: Sequence[tuple[int, float, int]],
    folder: Folder,
    area: Area | None,
) -> list[Patch]:
    if not images:
        return []
    batch = torch.cat(list(images)).to(classifier.device)
    fired = _units(classifier, layer, number, [position for _, _, position in known])
    guided, deconv = (_map(method, fired, batch) for method in (guided_backpropagation, deconvnet))
    made = []
    for at, (row, value, position) in enumerate(known):
        place = place_of(position, layer)
        box = box_of(place, area, classifier.outline.input_size)
        made.append(
            Patch(
                folder.paths[row].relative_to(folder.root).as_posix(),
                value,
                place,
                box,
                display(cut(batch[at].cpu(), box, GREY)),
                signed_picture(cut(guided[at], box, 0.0)),
                signed_picture(cut(deconv[at], box, 0.0)),
            )
        )
    return made


def _units(
    classifier: FrozenClassifier, layer: Layer, number: int, positions: Sequence[int]
) -> Callable[[Tensor], Tensor]:
    """Maps as many pictures to the filter's activation, each at its own of the ``positions``."""

    def fired(images: Tensor) -> Tensor:
        activation = classifier(images, [layer.name])[layer.name][:, number].reshape(len(images), -1)
        return activation.gather(1, torch.tensor(positions, device=activation.device)[:, None])[:, 0]

    return fired


def _map(method: Callable[..., Tensor], fired: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The signed maps (n, 3, h, w) of ``method``; the gradient where there is no ReLU on the way."""
    try:
        return method(fired, images).cpu()
    except UserError:
        with torch.enable_grad():
            images = images.detach().requires_grad_()
            return torch.autograd.grad(fired(images).sum(), images)[0].cpu()


def rows_of(found: Patches) -> list[list[str | int]]:
    """The patches of a filter as rows of a `table`."""
    rows: list[list[str | int]] = []
    for rank, patch in enumerate(found.patches, 1):
        row, column = patch.place if len(patch.place) == 2 else ("", "")
        name = patch.picture.encode(errors="backslashreplace").decode()
        rows.append([found.layer.name, found.filter, rank, name, f"{patch.value:.6g}", row, column, *patch.box])
    return rows


def table(rows: Sequence[Sequence[str | int]]) -> str:
    """Patches as CSV: filter, rank, picture, value, the unit's place, and its box in the classifier's input."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["layer", "filter", "rank", "picture", "value", "row", "column", *Box._fields])
    writer.writerows(rows)
    return text.getvalue()
