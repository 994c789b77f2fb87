"""What can be named in a target, and how strong frequencies are in pictures.

python -m genviz labels | layers CLASSIFIER | classifiers | spectrum FOLDER FILE
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from genviz.classifiers.headed import HeadedClassifier
from genviz.classifiers.outline import architectures, sketch
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.folders import find_pictures
from genviz.generators import spectrum
from genviz.interfaces import Classifier
from genviz.labels import slug

_KINDS: dict[str, type[Classifier]] = {"embedded": HeadedClassifier, "small": SmallClassifier}
_OWN = {
    "embedded": "comes with genviz: VGG16's convolutions (Oxford's, not torchvision's), class scores by genviz",
    "small": "comes with genviz: a plain network of eight convolutions, for speed",
}
_WIDTH = max(len(name) for name in _OWN)


def main() -> int:
    """List what the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m genviz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    labels = commands.add_parser("labels", help="the classes, with their numbers")
    labels.add_argument("containing", nargs="?", default="", help="only those whose label holds this")
    labels.add_argument("--labels", metavar="FILE", help="a file with one label a line instead of ImageNet's")
    layers = commands.add_parser("layers", help="the layers of a classifier: the papers' name, torchvision's, shape")
    layers.add_argument("classifier", help="vgg16 for instance")
    layers.add_argument("--input-size", type=int, metavar="PIXELS", help="instead of its own")
    commands.add_parser("classifiers", help="genviz's own, and torchvision's classification models")
    measured = commands.add_parser("spectrum", help="measure the mean spectrum of pictures, for generator=maco")
    measured.add_argument("folder", help="of pictures, however nested")
    measured.add_argument("file", type=Path, help="what it is written to, mine.safetensors for instance")
    measured.add_argument("--size", type=int, default=spectrum.SIZE, metavar="PIXELS", help="of the middle, 256")
    arguments = parser.parse_args()
    try:
        for line in _lines(arguments):
            print(line)
    except UserError as error:
        print(f"genviz: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # a reader such as head has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _lines(arguments: argparse.Namespace) -> list[str]:
    if arguments.command == "classifiers":
        return [f"{name:{_WIDTH}}  {what}" for name, what in _OWN.items()] + architectures()
    if arguments.command == "spectrum":
        return _spectrum(arguments.folder, arguments.file.expanduser(), arguments.size)
    if arguments.command == "labels":
        wanted = slug(arguments.containing)
        labels = sketch("vgg16", labels=arguments.labels).labels
        return [f"{index:4d}  {label}" for index, label in enumerate(labels) if wanted in slug(label)]
    if arguments.classifier in _KINDS:
        layers = _KINDS[arguments.classifier].sketch(input_size=arguments.input_size).layers
    else:
        layers = sketch(arguments.classifier, input_size=arguments.input_size).layers
    width = max(len(layer.name) for layer in layers)
    modules = max(len(layer.module) for layer in layers)
    return [f"{layer.name:{width}}  {layer.module:{modules}}  {' x '.join(map(str, layer.shape))}" for layer in layers]


def _spectrum(folder: str, file: Path, size: int) -> list[str]:
    found = spectrum.measure(find_pictures(folder, "spectrum").pictures, size)
    spectrum.write(file, found, Path(folder).expanduser().resolve().name)
    smaller = f" ({found.left_out} more are smaller, or damaged)" if found.left_out else ""
    return [f"{file}: of {found.pictures} pictures{smaller}; use it by generator=maco generator.weights={file}"]


if __name__ == "__main__":
    sys.exit(main())
