"""The mosaic of a figure or a sweep: of each picture, what its neuron or filter sees, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from genviz.classifiers.frozen import FrozenClassifier
from genviz.errors import UserError
from genviz.images.mosaic import write_mosaic
from genviz.images.pictures import display, read_image, resize
from genviz.interfaces import Classifier, Outline
from genviz.retrieval.cut import box_of, cut
from genviz.retrieval.patches import area_of
from genviz.targets.grammar import Target
from genviz.targets.layers import find_layer

_GREY = 0.5  # beyond the border


def check_mosaic(targets: Iterable[Target]) -> None:
    """Check that a mosaic can show ``targets``.

    Raises:
        UserError: one is not a single neuron or filter.
    """
    for target in targets:
        if [unit.kind in ("neuron", "filter") for unit in target.units] != [True]:
            example = "neuron:relu4_1:7:14:14 or filter:relu4_1:7"
            raise UserError(f"target={target}: a mosaic is of single neurons or filters, such as {example}")


def draw_mosaic(path: Path, pictures: Iterable[tuple[Target, Outline, Path]], classifier: Classifier) -> None:
    """Write a mosaic of what each target sees, as large as its receptive field; of a filter, in the middle.

    Args:
        pictures: each with the target that it was made for, and the outline of the network, which may have had an input
            size of its own.
        classifier: the network, for its receptive fields.

    Raises:
        UserError: a picture cannot be read, the disk is full, or the folder is not writable.
    """
    blocks: dict[str, list[Tensor]] = {}
    for target, outline, picture in pictures:
        (unit,) = target.units
        layer = find_layer(unit.layer, outline.layers)
        area = area_of(classifier, layer) if isinstance(classifier, FrozenClassifier) else None
        place = unit.index[1:] if unit.kind == "neuron" else tuple(side // 2 for side in layer.shape[1:])
        image = read_image(picture)
        if outline.resizes:
            image = resize(image, outline.input_size)
        part = cut(image, box_of(place, area, (image.shape[-2], image.shape[-1])), _GREY)
        blocks.setdefault(layer.name, []).append(display(part[0]))
    write_mosaic(path, list(blocks.items()))
