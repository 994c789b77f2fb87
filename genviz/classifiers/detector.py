"""Torchvision's detectors by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from genviz.classifiers.box_scores import Detector
from genviz.classifiers.built import REFUSALS, checked_arguments, find_builder, from_file
from genviz.classifiers.frozen_detector import FrozenDetector, outline_of_detector
from genviz.classifiers.labels import Labels, labels_of
from genviz.classifiers.outline import check_resize
from genviz.classifiers.sizes import Size, size_of
from genviz.classifiers.torchvision import fill
from genviz.classifiers.tracing.copies import unwrapped
from genviz.classifiers.weight_files.weights import DEFAULT, RANDOM, Weights, entry, find, fingerprint
from genviz.errors import UserError
from genviz.interfaces import Outline
from genviz.targets.labels import nearest

_RANDOM_SEED = 0
_MOST_BOXES = 1000
_WITHOUT_EPSILON = tuple(f"{kind}_resnet50_fpn" for kind in ("fasterrcnn", "maskrcnn", "keypointrcnn", "retinanet"))
"""Whose first weights torchvision uses without the epsilon of batch norms, with which they were not trained."""


class DetectorClassifier(FrozenDetector):
    """A detector of torchvision's by its name, or one that a builder makes, frozen.

    Args:
        architecture: torchvision's name, ``ssdlite320_mobilenet_v3_large``; or None, with a ``builder``.
        builder: ``package.module:function`` that returns a detector of torchvision's kinds; it is run.
        arguments: of the builder, by name.
        weights: ``default``, one of torchvision's entries (``COCO_V1``), a ``.pth`` or ``.safetensors`` file, or
            ``random``; a builder has no default.
        boxes: how many of each class's most confident boxes a score is the mean of.
        input_size: side of the square input, or rows and columns, in pixels; None for that of the detector's shorter
            side. Images of another size are resized to it; `detect` sees pictures at the detector's own size if None.
        labels: None for those of torchvision's weights, which are COCO's; a file with one label per line, a list, or
            a dict by number. The first is the background's.
        resize: False: take images at their own size.
        package: the builder's package as ``pip install`` names it, for the message when it is missing.

    Raises:
        UserError: there is no such detector, or the weights are not available or do not fit.
    """

    def __init__(
        self,
        *,
        architecture: str | None = None,
        builder: str | None = None,
        arguments: Mapping[str, Any] | None = None,
        weights: str | None = DEFAULT,
        boxes: int = 1,
        input_size: Size | None = None,
        labels: Labels | None = None,
        resize: bool = True,
        package: str | None = None,
    ) -> None:
        outline = self.sketch(
            architecture=architecture,
            builder=builder,
            arguments=arguments,
            weights=weights,
            boxes=boxes,
            input_size=input_size,
            labels=labels,
            resize=resize,
            package=package,
        )
        assert isinstance(weights, str)
        build = _builder(architecture, builder, arguments, package, len(outline.labels))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_RANDOM_SEED)
            detector = _detector(build, builder or architecture)
        if weights == RANDOM:
            found = Weights(detector.state_dict(), RANDOM, fingerprint(detector.state_dict()))
        else:
            found = find(architecture or "", weights) if builder is None else from_file(weights)
            fill(detector, found, builder or architecture or "")
        if architecture in _WITHOUT_EPSILON and _is_torchvisions(architecture, weights, found):
            for module in detector.backbone.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eps = 0.0
        super().__init__(
            detector,
            outline,
            boxes=boxes,
            weights_source=found.source,
            weights_sha256=found.sha256,
            architecture=architecture or "",
        )

    @classmethod
    def sketch(cls, **settings: Any) -> Outline:
        architecture, builder, weights = (settings.get(name) for name in ("architecture", "builder", "weights"))
        weights = DEFAULT if "weights" not in settings else weights
        for name, value in (("architecture", architecture), ("builder", builder), ("weights", weights)):
            if value is not None and not isinstance(value, str):
                raise UserError(f"classifier.{name}={value} must be a name")
        if (architecture is None) is (builder is None):
            raise UserError(
                "classifier=detector needs classifier.architecture=NAME, one of torchvision's detectors, or "
                "classifier.builder=package.module:function, and not both"
            )
        if builder is not None and weights in (None, DEFAULT):
            raise UserError(
                f"{builder} comes without weights; give classifier.weights=FILE.safetensors, FILE.pth or random"
            )
        if weights is None:
            raise UserError("classifier.weights=null: give default, a file, or random")
        boxes = settings.get("boxes", 1)
        if isinstance(boxes, bool) or not isinstance(boxes, int) or not 1 <= boxes <= _MOST_BOXES:
            raise UserError(f"classifier.boxes={boxes} must be a whole number from 1 to {_MOST_BOXES}")
        if architecture is not None:
            checked(architecture)
        named, size = settings.get("labels"), settings.get("input_size")
        labels = labels_of(architecture or detectors()[0], named)
        if len(labels) < 2:
            raise UserError("classifier.labels: a detector has two or more, the first of which is the background's")
        resizes = check_resize(settings)
        if architecture is not None:
            outline = _sketch(architecture, labels, None if size is None else size_of(size))
        else:
            build = _builder(None, builder, settings.get("arguments"), settings.get("package"), None)
            outline = _outline(build, str(builder), labels, None if size is None else size_of(size))
        return outline._replace(resizes=resizes)


def _is_torchvisions(architecture: str, weights: str, found: Weights) -> bool:
    """Whether these are torchvision's own, by their name or as a file; the file's name ends with its hash's digits."""
    hashes = [Path(known.url).stem.rpartition("-")[2] for known in torchvision.models.get_model_weights(architecture)]
    return entry(architecture, weights) is not None or found.sha256.startswith(tuple(hashes))


def detectors() -> list[str]:
    """The names of torchvision's detectors."""
    return torchvision.models.list_models(module=torchvision.models.detection)


def checked(architecture: str) -> str:
    """Return ``architecture`` if it is one of torchvision's detectors.

    Raises:
        UserError: it is not.
    """
    if architecture not in detectors():
        likely = nearest(architecture, detectors())
        raise UserError(
            f"torchvision has no detector called '{architecture}'"
            + (f"; nearest: {', '.join(likely)}" if likely else "")
            + "; genviz classifiers lists them all"
        )
    return architecture


@lru_cache
def _sketch(architecture: str, labels: tuple[str, ...], size: tuple[int, int] | None) -> Outline:
    return _outline(_builder(architecture, None, None, None, len(labels)), architecture, labels, size)


def _outline(
    build: Callable[[], nn.Module], name: str, labels: tuple[str, ...], size: tuple[int, int] | None
) -> Outline:
    with torch.device("meta"):
        detector = _detector(build, name)
    return outline_of_detector(detector.to("meta"), name, labels, size)


def _builder(
    architecture: str | None,
    builder: str | None,
    arguments: Mapping[str, Any] | None,
    package: str | None,
    classes: int | None,
) -> Callable[[], nn.Module]:
    """A function without arguments that builds the detector, without weights."""
    if builder is not None:
        build = find_builder(builder, package)
        return lambda: build(**checked_arguments(arguments))
    found = torchvision.models.get_model_builder(architecture)
    return lambda: found(weights=None, weights_backbone=None, num_classes=classes)


def _detector(build: Callable[[], nn.Module], name: str | None) -> Detector:
    """Build the detector ``name``, in eval mode.

    Raises:
        UserError: it is none of torchvision's kinds, or its builder does not take the arguments.
    """
    try:
        detector = unwrapped(build())
    except REFUSALS as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{name} cannot be built: {why}") from error
    if not isinstance(detector, Detector):
        raise UserError(
            f"{name} returns a {type(detector).__name__}; classifier=detector takes torchvision's FasterRCNN, "
            "MaskRCNN, KeypointRCNN, SSD, RetinaNet and FCOS, classifier=module other networks"
        )
    return detector.eval()
