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
    from genviz.errors import UserError
    from genviz.targets.labels import nearest, slug

    known = sketch("vgg16", labels=labels).labels
    found = [(index, label) for index, label in enumerate(known) if slug(containing) in slug(label)]
    if not found:
        likely = ", ".join(nearest(containing, known))
        raise UserError(f"no label contains '{containing}'" + (f"; nearest: {likely}" if likely else ""))
    for index, label in found:
        click.echo(f"{index:4d}  {label}")
