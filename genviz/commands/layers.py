"""genviz layers: the layers that a target can name."""

from __future__ import annotations

import click

from genviz.commands.classifiers import OWN


@click.command("layers")
@click.argument("classifier")
@click.option(
    "--input-size", type=click.IntRange(min=1), metavar="PIXELS", help="Input size, if not the classifier's own."
)
def command(classifier: str, input_size: int | None) -> None:
    """List the layers that a target can name in CLASSIFIER.

    Each with its name in the papers, its name in torchvision, and its output shape.
    """
    from genviz.classifiers.headed import HeadedClassifier
    from genviz.classifiers.outline import sketch
    from genviz.classifiers.small import SmallClassifier
    from genviz.interfaces import Classifier

    own: dict[str, type[Classifier]] = dict(zip(OWN, (HeadedClassifier, SmallClassifier), strict=True))
    kind = own.get(classifier)
    outline = sketch(classifier, input_size=input_size) if kind is None else kind.sketch(input_size=input_size)
    layers = outline.layers
    width = max(len(layer.name) for layer in layers)
    modules = max(len(layer.module) for layer in layers)
    for layer in layers:
        click.echo(f"{layer.name:{width}}  {layer.module:{modules}}  {' x '.join(map(str, layer.shape))}")
