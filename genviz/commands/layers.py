"""genviz layers: the layers that a target can name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from genviz.commands.classifiers import BUILT, OWN
from genviz.errors import UserError

if TYPE_CHECKING:
    from genviz.interfaces import Outline


@click.command("layers")
@click.argument("classifier")
@click.option(
    "--input-size", metavar="PIXELS", help="Input size, if not the classifier's own: a number, or ROWSxCOLUMNS."
)
def command(classifier: str, input_size: str | None) -> None:
    """List the layers that a target can name in CLASSIFIER.

    Each with its name in the papers, its name in torchvision, and its output shape, channels first. CLASSIFIER is a
    name, or the file of a network that genviz fit has trained.
    """
    from genviz.classifiers.classic import ClassicClassifier
    from genviz.classifiers.classic_networks import RECIPES
    from genviz.classifiers.detector import DetectorClassifier, detectors
    from genviz.classifiers.fitted import FittedClassifier
    from genviz.classifiers.headed import HeadedClassifier
    from genviz.classifiers.outline import sketch
    from genviz.classifiers.representation import DSIFTClassifier, HOGClassifier
    from genviz.classifiers.small import SmallClassifier
    from genviz.interfaces import Classifier

    kinds = (HeadedClassifier, SmallClassifier, HOGClassifier, HOGClassifier, DSIFTClassifier)
    own: dict[str, type[Classifier]] = dict(zip(OWN, kinds, strict=True))
    kind = own.get(classifier)
    size = None if input_size is None else _size(input_size)
    if kind is not None:
        outline = kind.sketch(input_size=size)
    elif classifier == "fitted":
        raise UserError("say which network: genviz layers FILE.safetensors, as genviz fit has written it")
    elif Path(classifier).suffix.lower() == ".safetensors":
        outline = FittedClassifier.sketch(weights=classifier, input_size=size)
    elif classifier in RECIPES:
        outline = ClassicClassifier.sketch(architecture=classifier, input_size=size)
    elif classifier in detectors():
        outline = DetectorClassifier.sketch(architecture=classifier, input_size=size)
    elif classifier in BUILT:
        outline = _of_settings(classifier, size)
    else:
        outline = sketch(classifier, input_size=size)
    layers = outline.layers
    width = max(len(layer.name) for layer in layers)
    modules = max(len(layer.module) for layer in layers)
    for layer in layers:
        unknown = "" if layer.axis is not None else f"  (say which counts the channels: {layer.name}/1, ...)"
        click.echo(f"{layer.name:{width}}  {layer.module:{modules}}  {' x '.join(map(str, layer.shape))}{unknown}")


def _of_settings(classifier: str, size: tuple[int, int] | None) -> Outline:
    """The outline of a classifier that its settings alone describe."""
    from genviz.training import build
    from genviz.training.configuration import compose

    own = compose("train", ["target=class:0", f"classifier={classifier}", "classifier.weights=random"]).classifier
    own.input_size = size and list(size)
    return build.sketch(own)


def _size(given: str) -> tuple[int, int]:
    from genviz.classifiers.sizes import size_of

    sides = re.split(r"[x,]", given.strip("[]"))
    numbers = [int(side) if side.strip().isdecimal() else 0 for side in sides]
    if 0 in numbers or len(numbers) > 2:
        raise UserError(f"--input-size {given} must be a number of pixels, such as 224, or two, such as 224x160")
    return size_of(numbers[0] if len(numbers) == 1 else numbers)
