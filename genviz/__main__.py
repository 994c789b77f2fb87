"""What can be named in a target: python -m genviz labels | layers CLASSIFIER | classifiers"""

from __future__ import annotations

import argparse
import os
import sys

from genviz.classifiers.headed import HeadedClassifier
from genviz.classifiers.outline import architectures, sketch
from genviz.classifiers.small import SmallClassifier
from genviz.errors import UserError
from genviz.interfaces import Classifier
from genviz.labels import slug

_KINDS: dict[str, type[Classifier]] = {"embedded": HeadedClassifier, "small": SmallClassifier}
_OWN = {
    "embedded": "comes with genviz: VGG16's own convolutions, class scores by heads of genviz's",
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


if __name__ == "__main__":
    sys.exit(main())
