"""A frozen detector: class scores of a whole picture, and its boxes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genviz.classifiers.box_operators import stand_in
from genviz.classifiers.box_scores import BoxScores, Detector, TwoStage, box_scores
from genviz.classifiers.frozen import FrozenClassifier
from genviz.classifiers.input_space import InputSpace
from genviz.classifiers.labels import Labels, read_labels
from genviz.classifiers.outline import outline_of
from genviz.classifiers.tracing.trace import trace
from genviz.classifiers.weight_files.weights import fingerprint
from genviz.errors import UserError
from genviz.interfaces import Outline

_HIDDEN = "roi_heads looks at boxes, whose number differs from picture to picture; its layers have no targets"


class Detections(NamedTuple):
    """What a detector found in one picture, the surest first."""

    boxes: Tensor
    """(k, 4): left, top, right, bottom, in pixels of the picture."""

    labels: Tensor
    """(k,): the classes' numbers."""

    scores: Tensor
    """(k,): how sure it is of each, in [0, 1]."""


class FrozenDetector(FrozenClassifier):
    """A detector of torchvision's, frozen; its class scores are those of `BoxScores`.

    Args:
        detector: in eval mode, with its weights; shown pictures of another size than its own, it resizes them to the
            outline's.
        outline: the one of `outline_of_detector`.
        boxes: as for `BoxScores`.
        weights_source, weights_sha256, architecture: as for `FrozenClassifier`.
    """

    network: BoxScores
    independent = True

    def __init__(self, detector: Detector, outline: Outline, *, boxes: int = 1, **named: Any) -> None:
        stand_in()
        transform = detector.transform
        if outline.input_size != own_size(detector):
            rows, columns = outline.input_size
            transform.fixed_size = (columns, rows)
        space = InputSpace(mean=transform.image_mean, std=transform.image_std)
        super().__init__(box_scores(detector, boxes), outline, space, **named)

    @torch.no_grad()
    def detect(self, images: Tensor | Sequence[Tensor]) -> list[Detections]:
        """What the detector's own postprocessing leaves: boxes above its threshold, after non-maximum suppression.

        The detector resizes the pictures as torchvision has it, with their proportions, unless its input size was set.

        Args:
            images: RGB in [0, 1], (n, 3, h, w), or several (3, h, w) of any sizes.
        """
        found = self.network.detector([image.to(self.device) for image in images])
        return [Detections(own["boxes"], own["labels"], own["scores"]) for own in found]


def own_size(detector: Detector) -> tuple[int, int]:
    """Rows and columns that ``detector`` resizes a square picture to."""
    columns, rows = detector.transform.fixed_size or 2 * (detector.transform.min_size[-1],)
    return rows, columns


def outline_of_detector(detector: Detector, name: str, labels: Labels | None, size: tuple[int, int] | None) -> Outline:
    """The outline of the detector ``name``, on the meta device, without arithmetic.

    Args:
        labels: as for `read_labels`, one for each class, the background's first; None: their numbers.
        size: rows and columns of its input; None: its own.

    Raises:
        UserError: it cannot take this size, or there are not as many labels as classes.
    """
    network, size = box_scores(detector), size or own_size(detector)
    try:
        found = trace(network, torch.empty(1, 3, *size, device="meta"))
    except (RuntimeError, AssertionError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise UserError(
            f"{name} cannot take {size[0]} x {size[1]} pixels ({why}); classifier.input_size=null uses its own size"
        ) from error
    classes = found.output.shape[1]
    named = tuple(map(str, range(classes))) if labels is None else read_labels(labels, classes)
    if classes != len(named):
        raise UserError(
            f"the detector has {classes} classes with the background, but there are {len(named)} labels; "
            "name them with classifier.labels=FILE, one label per line, the background's first"
        )
    outline = outline_of(network, found.layers, named, size)
    hidden = _HIDDEN if isinstance(network, TwoStage) else outline.hidden
    return outline._replace(head="", hidden=hidden)  # no module maps features to the scores of the whole picture


def from_detector(
    detector: Detector, *, input_size: tuple[int, int], labels: Labels | None, resize: bool
) -> FrozenDetector:
    """A frozen ``detector``, which is a copy of a user's, in eval mode."""
    name, device = type(detector).__name__, next(detector.parameters()).device
    outline = outline_of_detector(copy.deepcopy(detector).to("meta"), name, labels, input_size)
    made = FrozenDetector(
        detector,
        outline._replace(resizes=resize),
        weights_source=name,
        weights_sha256=fingerprint(detector.state_dict()),
    )
    return made.to(device)
