"""genviz labels: the classes that a target can name."""

from __future__ import annotations

import click


@click.command("labels")
@click.argument("containing", default="")
@click.option("--labels", metavar="FILE", help="File with one label per line, instead of ImageNet's.")
def command(containing: str, labels: str | None) -> None:
    """List the classes that a target can name.

    With CONTAINING, only those whose label contains it.
    """
    from genviz.classifiers.outline import sketch
    from genviz.targets.labels import slug

    wanted = slug(containing)
    for index, label in enumerate(sketch("vgg16", labels=labels).labels):
        if wanted in slug(label):
            click.echo(f"{index:4d}  {label}")
